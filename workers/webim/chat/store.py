"""Keeps chats in the adapter's own bucket, compare-and-set; a chat's session leads to it as well."""

from __future__ import annotations

from dataclasses import dataclass

from broker.codec import decode, encode
from broker.domain.ids import SessionId
from broker.domain.sessions import SessionRecord
from broker.domain.wire import dump, validate
from broker.transport.records import Records
from workers.webim.chat.chats import Chat, chat_key

CHATS = "CHATS_webim"
CHAT_ID = "chat_id"
"""The member of a session record's ``meta_data`` that leads back to the chat."""
CHANNEL_ID = "channel_id"
KEPT_MARGIN_S = 3_600
TRANSFERRED_KEPT_S = 2 * 86_400
"""Longer than a dialog with an operator is collected."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A chat as found, None if there is none, and the revision that a save must name."""

    chat: Chat | None
    revision: int


class ChatStore:
    """Bucket CHATS_webim, and the session records that lead to it."""

    def __init__(self, chats: Records, sessions: Records) -> None:
        self._chats = chats
        self._sessions = sessions

    async def load(self, channel_id: str, conversation_id: str) -> Kept:
        """The chat of that id on that channel."""
        found = await self._chats.read(chat_key(channel_id, conversation_id))
        chat = None if found.value is None else validate(Chat, decode(found.value), what="webim chat")
        return Kept(chat, found.revision)

    async def load_by_session(self, session: SessionId) -> Kept:
        """The chat that the session is, or once was, the conversation of."""
        found = await self._sessions.read(session)
        if found.value is None:
            return Kept(None, 0)
        meta = validate(SessionRecord, decode(found.value), what="session record").meta_data or {}
        return await self.load(str(meta.get(CHANNEL_ID)), str(meta.get(CHAT_ID)))

    async def save(self, chat: Chat, *, revision: int, idle_s: int) -> int:
        """The new revision; ConflictError if somebody else wrote meanwhile."""
        ttl_s = idle_s + KEPT_MARGIN_S if chat.state == "active" else max(idle_s, TRANSFERRED_KEPT_S)
        key = chat_key(chat.channel_id, chat.conversation_id)
        return await self._chats.write(key, encode(dump(chat)), revision=revision, ttl_s=ttl_s)
