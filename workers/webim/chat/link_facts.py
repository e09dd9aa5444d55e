"""What the linker tells of the links of chats: that one is shorter than asked for, that one ran out."""

from __future__ import annotations

import time

from broker.codec import decode
from broker.domain.events import Linked
from broker.domain.subjects import Conversation
from broker.domain.wire import validate
from broker.errors import ConflictError
from workers.webim.channel import Channel
from workers.webim.chat.chats import Chat, settled
from workers.webim.chat.endings import Endings
from workers.webim.chat.store import ChatStore, Kept

WRITES_MAX = 8


class LinkFacts:
    """Facts of any session of the channel's; those of one that its chat has no more mean nothing."""

    def __init__(self, chats: ChatStore, endings: Endings) -> None:
        self._chats = chats
        self._endings = endings

    async def linked(self, channel: Channel | None, conversation: Conversation, data: bytes) -> None:
        """Remember when a link ends that was cut to what the operator allows, so that it is set anew before.

        Raises:
            BackboneError: not now, or it is no fact of the linker's.
        """
        fact = validate(Linked, decode(data), what="link fact")
        if not fact.clamped:
            return
        for _ in range(WRITES_MAX):
            chat, revision = await self._active(channel, conversation)
            if channel is None or chat is None or chat.stub != fact.stub or chat.link_until_ms <= fact.expires_at_ms:
                return
            after = chat.model_copy(update={"link_until_ms": fact.expires_at_ms})
            try:
                await self._chats.save(after, revision=revision, idle_s=channel.settings.session_idle_ttl_s)
            except ConflictError:
                continue
            return
        raise ConflictError(f"the chat of session {conversation.log_id}")

    async def expired(self, channel: Channel | None, conversation: Conversation) -> None:
        """A link outlasts the idle limit where it may, so unless something was said meanwhile the session is over."""
        chat, _ = await self._active(channel, conversation)
        if channel is None or chat is None:
            return
        if settled(chat, now_ms=_now_ms(), idle_s=channel.settings.session_idle_ttl_s).reason == "idle":
            await self._endings.close(channel, chat, "idle")

    async def _active(self, channel: Channel | None, conversation: Conversation) -> tuple[Chat | None, int]:
        """The chat if the bot has it in that very session, and its revision."""
        kept: Kept = await self._chats.load_by_session(conversation.session)
        chat = kept.chat
        if channel is None or chat is None or chat.session != conversation.session or chat.channel_id != channel.id:
            return None, 0
        return (chat, kept.revision) if chat.state == "active" else (None, 0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
