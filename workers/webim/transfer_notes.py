"""Notes on chats that operators have: which dialogs are to be collected, and when to look next; compare-and-set."""

from __future__ import annotations

from typing import Self

from broker import codec
from broker.domain.events import UUID, Label
from broker.domain.wire import Wire, dump, validate
from broker.errors import ConflictError
from broker.transport.records import Records
from workers.webim.chat_store import TRANSFERRED_KEPT_S
from workers.webim.chats import Chat, transfer_key

NOTES_PATTERN = "transfer.>"
"""The keys of all notes, and of nothing else in the bucket."""
WRITES_MAX = 8


class TransferNote(Wire):
    """Value under ``transfer_key``; ``chat_id`` as Webim has it. Moments are Unix time in milliseconds, UTC.

    ``closing_since_ms``: the chat is known to be over, and what is new in it is collected before that is told.
    ``changed_at_ms``: when something new was last found. ``closing_words``: the newest message says that Webim did
    something to the chat, so that silence after it means an end. ``failures``: polls in a row that brought nothing.
    """

    org: UUID
    channel_id: Label
    chat_id: int | str
    session: UUID
    since_ms: int
    next_poll_at_ms: int
    changed_at_ms: int
    closing_words: bool = False
    closing_since_ms: int | None = None
    failures: int = 0

    @property
    def conversation_id(self) -> str:
        """The canonical text of the chat's id."""
        return str(self.chat_id)

    @classmethod
    def of(cls, chat: Chat, *, now_ms: int, wait_s: int) -> Self:
        """The first note of a chat that was just given to an operator."""
        return cls(
            org=chat.org,
            channel_id=chat.channel_id,
            chat_id=chat.chat_id,
            session=chat.session,
            since_ms=now_ms,
            next_poll_at_ms=now_ms + wait_s * 1000,
            changed_at_ms=now_ms,
        )


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
        key = transfer_key(note.channel_id, note.conversation_id)
        return await self.records.write(key, codec.encode(dump(note)), revision=revision, ttl_s=TRANSFERRED_KEPT_S)

    async def begin(self, chat: Chat, *, now_ms: int, wait_s: int) -> None:
        """Have the dialog of this session collected; one that is, already, goes on as it was."""
        for _ in range(WRITES_MAX):
            note, revision = await self.read(chat.channel_id, chat.conversation_id)
            if note is not None and note.session == chat.session:
                return
            try:
                await self.write(TransferNote.of(chat, now_ms=now_ms, wait_s=wait_s), revision=revision)
            except ConflictError:
                continue
            return
        raise ConflictError(transfer_key(chat.channel_id, chat.conversation_id))

    async def hasten(self, chat: Chat, *, now_ms: int) -> bool:
        """Have what is new collected at once, for the chat is over; False if its dialog is not being collected."""
        for _ in range(WRITES_MAX):
            note, revision = await self.read(chat.channel_id, chat.conversation_id)
            if note is None or note.session != chat.session:
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
            if note is None or note.session != chat.session:
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
