"""How far one notification has got, kept in its chat's record so that a crash goes on where it was."""

from __future__ import annotations

from typing import Any

from broker.errors import ChatNotOwnedError, ConflictError
from workers.webim.channel import WEBIM, Channel
from workers.webim.chat.chats import Chat, Sending, chat_key
from workers.webim.chat.store import ChatStore, Kept

WRITES_MAX = 8


class Progress:
    """The chat as last seen, and changes to it; ``sequence`` is the notification's.

    ``bot_messages`` counts what Webim has taken of ours; it is saved with the next change.
    """

    def __init__(self, chats: ChatStore, channel: Channel, kept: Kept, sequence: int) -> None:
        assert kept.chat is not None  # noqa: S101 - judge() refuses what has none
        self.chat: Chat = kept.chat
        self.sequence = sequence
        self.bot_messages = kept.chat.bot_messages
        self._chats = chats
        self._revision = kept.revision
        self._idle_s = channel.settings.session_idle_ttl_s

    @property
    def begun(self) -> Sending | None:
        """The step that was being tried when this notification was last worked on, None if there was none."""
        sending = self.chat.sending
        return sending if sending is not None and sending.sequence == self.sequence else None

    async def begin(self, step: int, *, now_ms: int, failed: str | None) -> Sending:
        """Have it known that this step is tried from now on."""
        sending = Sending(sequence=self.sequence, step=step, since_ms=now_ms, failed=failed)
        await self.change(sending=sending)
        return sending

    async def change(self, **changes: Any) -> None:
        """Save some fields; what a visitor's message changed meanwhile is kept.

        Raises:
            ChatNotOwnedError: the chat went to an operator meanwhile, or its session ended.
            ConflictError: another process has the lane now, and has gone on; what there is to do is judged anew.
        """
        for _ in range(WRITES_MAX):
            after = self.chat.model_copy(update={"bot_messages": self.bot_messages, **changes})
            try:
                self._revision = await self._chats.save(after, revision=self._revision, idle_s=self._idle_s)
            except ConflictError:
                await self._look_again()
            else:
                self.chat = after
                return
        raise ConflictError(chat_key(self.chat.channel_id, self.chat.conversation_id))

    async def _look_again(self) -> None:
        before = self.chat
        kept = await self._chats.load(before.channel_id, before.conversation_id)
        if kept.chat is None or kept.chat.session != before.session or kept.chat.state != "active":
            raise ChatNotOwnedError(WEBIM, problem="the chat is not the bot's any more")
        if (kept.chat.sending, kept.chat.done) != (before.sending, before.done):
            raise ConflictError(chat_key(before.channel_id, before.conversation_id))
        self.chat, self._revision = kept.chat, kept.revision
