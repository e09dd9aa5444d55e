"""Notes on chats that operators have: which dialogs are to be collected, and when to look next; compare-and-set."""

from __future__ import annotations

from broker import codec
from broker.domain.wire import Wire, dump, validate
from broker.errors import ConflictError
from broker.transport.records import Records
from workers.webim.chat.chats import MS_PER_S, Chat, transfer_key
from workers.webim.chat.store import TRANSFERRED_KEPT_S

NOTES_PATTERN = "transfer.>"
"""The keys of all notes, and of nothing else in the bucket."""
WRITES_MAX = 8


class TransferNote(Wire):
    """Value under ``transfer_key``. Moments are Unix time in milliseconds, UTC.

    ``chat`` is the record as it was when the operator got the chat, for what is told of that session even when the
    chat has another. ``mark`` tells whether the dialog is the same as at the last look, ``changed_at_ms`` when it was
    not. ``closing_words``: its newest message is Webim's own, after an operator's, so that silence after it means an
    end. ``closing_since_ms``: the chat is known to be over; what is new in it is collected before that is told.
    ``failures``: looks in a row that brought nothing.
    """

    chat: Chat
    since_ms: int
    next_poll_at_ms: int
    changed_at_ms: int
    mark: str = ""
    closing_words: bool = False
    closing_since_ms: int | None = None
    failures: int = 0

    @property
    def key(self) -> str:
        """Where it is kept."""
        return transfer_key(self.chat.channel_id, self.chat.conversation_id)


class TransferNotes:
    """The notes in bucket CHATS_webim."""

    def __init__(self, chats: Records) -> None:
        self.records = chats

    async def read(self, channel_id: str, conversation_id: str) -> tuple[TransferNote | None, int]:
        """The note of a chat, None if its dialog is not being collected, and the revision to name in a write."""
        found = await self.records.read(transfer_key(channel_id, conversation_id))
        note = None if found.value is None else read_note(found.value)
        return note, found.revision

    async def write(self, note: TransferNote, *, revision: int) -> int:
        """The new revision; ConflictError if somebody else wrote meanwhile."""
        return await self.records.write(note.key, codec.encode(dump(note)), revision=revision, ttl_s=TRANSFERRED_KEPT_S)

    async def begin(self, chat: Chat, *, now_ms: int, wait_s: int) -> None:
        """Have the dialog of this session collected; one that is, already, goes on as it was."""
        first = TransferNote(
            chat=chat.model_copy(update={"answer": None}),  # as long as the visitor wished, and of no use here
            since_ms=now_ms,
            next_poll_at_ms=now_ms + wait_s * MS_PER_S,
            changed_at_ms=now_ms,
        )
        for _ in range(WRITES_MAX):
            note, revision = await self.read(chat.channel_id, chat.conversation_id)
            if note is not None and note.chat.session == chat.session:
                return
            try:
                await self.write(first, revision=revision)
            except ConflictError:
                continue
            return
        raise ConflictError(transfer_key(chat.channel_id, chat.conversation_id))

    async def hasten(self, chat: Chat, *, now_ms: int) -> bool:
        """Have what is new collected at once, for the chat is over; False if its dialog is not being collected."""
        for _ in range(WRITES_MAX):
            note, revision = await self.read(chat.channel_id, chat.conversation_id)
            if note is None or note.chat.session != chat.session:
                return False
            if note.closing_since_ms is not None:
                return True
            changes = {"closing_since_ms": now_ms, "next_poll_at_ms": now_ms}
            try:
                await self.write(note.model_copy(update=changes), revision=revision)
            except ConflictError:
                continue
            return True
        raise ConflictError(transfer_key(chat.channel_id, chat.conversation_id))

    async def drop(self, chat: Chat) -> None:
        """Nothing of this session is to be collected any more."""
        for _ in range(WRITES_MAX):
            note, revision = await self.read(chat.channel_id, chat.conversation_id)
            if note is None or note.chat.session != chat.session:
                return
            try:
                await self.records.delete(transfer_key(chat.channel_id, chat.conversation_id), revision=revision)
            except ConflictError:
                continue
            return
        raise ConflictError(transfer_key(chat.channel_id, chat.conversation_id))


def read_note(value: bytes) -> TransferNote:
    """Raise InvalidBodyError unless it is a note."""
    return validate(TransferNote, codec.decode(value), what="transfer note")
