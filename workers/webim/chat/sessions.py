"""A chat's session as the rest of the backbone knows it: its record, and its link to the version that answers."""

from __future__ import annotations

from broker.codec import decode, encode
from broker.domain.ids import OrgId, SessionId
from broker.domain.sessions import SessionRecord, kept_longer
from broker.domain.wire import dump
from broker.errors import ConflictError
from broker.transport.links import live_link
from broker.transport.records import Record, Records
from workers.webim.channel import WEBIM, Channel
from workers.webim.chat.chats import MS_PER_S, Chat
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.store import CHANNEL_ID, CHAT_ID

TRIES_MAX = 4
MS_PER_HOUR = 3_600 * MS_PER_S


class ChatSessions:
    """Buckets SESSIONS and STUBSESSIONS, as far as this adapter needs them."""

    def __init__(self, conversations: Conversations, sessions: Records, links: Records) -> None:
        self._conversations = conversations
        self._sessions = sessions
        self._links = links

    async def keep(self, channel: Channel, chat: Chat, *, now_ms: int) -> None:
        """See that the session's record is there until ``chat.record_until_ms``, and leads back to the chat."""
        path = channel.path
        record = SessionRecord(
            channel=WEBIM,
            org=path.org,
            chat_name=path.chat,
            created_at_ms=chat.opened_at_ms,
            meta_data={CHANNEL_ID: channel.id, CHAT_ID: chat.conversation_id},
        )
        found = Record(None, 0)  # most often it is new
        for _ in range(TRIES_MAX):
            body = dump(record) if found.value is None else decode(found.value)
            body, ttl_s = kept_longer(body, until_ms=chat.record_until_ms, now_ms=now_ms)
            try:
                await self._sessions.write(chat.session, encode(body), revision=found.revision, ttl_s=ttl_s)
            except ConflictError:
                found = await self._sessions.read(chat.session)
            else:
                return
        raise ConflictError(f"the record of session {chat.session[:8]}")

    async def link(self, channel: Channel, chat: Chat) -> None:
        """Give the session to its version's stub until ``chat.link_until_ms``; the same wish is stored once."""
        assert chat.stub is not None  # noqa: S101 - asked by whoever calls
        hours = (chat.link_until_ms - chat.last_at_ms) / MS_PER_HOUR
        event_id = f"{chat.session}-link-{chat.link_until_ms}"
        await self._conversations.link(channel, chat, chat.stub, hours=hours, event_id=event_id)

    async def unlink(self, channel: Channel, chat: Chat) -> None:
        """Take back what link() gave."""
        event_id = f"{chat.session}-unlink-{chat.link_until_ms}"
        await self._conversations.unlink(channel, chat, event_id=event_id)

    async def may_renew(self, chat: Chat, *, now_ms: int) -> bool:
        """Whether the version's stub still has the session: a program may have given it away, or up."""
        link = await live_link(self._links, OrgId(chat.org), SessionId(chat.session), now_ms=now_ms)
        return now_ms >= chat.link_until_ms if link is None else str(link.stub) == chat.stub
