"""Tells one dialog with an operator in the conversation that it belongs to: each message once, in order."""

from __future__ import annotations

import time

from prometheus_client import Counter
from pydantic import JsonValue

from broker.domain.dialogs import DIALOG_MESSAGE
from broker.domain.ids import SessionId
from broker.domain.subjects import Kind, partition_of
from broker.transport.connection import Connection
from broker.transport.reader import read_range
from broker.transport.topology import CONVERSATIONS
from workers.webim.channel import Channel
from workers.webim.chat.chats import Chat
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.notices import own_event, told_id
from workers.webim.chat.transfer_notes import TransferNote
from workers.webim.collecting.dialog import Dialog, DialogMessage
from workers.webim.collecting.known import Known, fresh
from workers.webim.collecting.polling import mark_of, seen

LOG_PAGE = 25
"""Events read at a time: of the largest ones this is some megabytes."""

COLLECTED = Counter("heimdall_webim_collected", "Messages of operators' dialogs told in their conversations.")


class Collecting:
    """Reads logs, and adds to them."""

    def __init__(self, connection: Connection, conversations: Conversations, *, partitions: int) -> None:
        self._connection = connection
        self._conversations = conversations
        self._partitions = partitions

    async def collect(
        self, channel: Channel, note: TransferNote, dialog: Dialog, *, before_ms: int | None = None
    ) -> TransferNote:
        """Tell what the log does not hold yet, created before that moment if one is given; the note to be kept.

        Raises:
            BusError: something of it is not stored; the rest is not told before it.
        """
        if mark_of(dialog) == note.mark:
            return note.model_copy(update={"failures": 0})
        known = await self._read_log(channel, note.chat)
        found = fresh(dialog, known, session=note.chat.session, opened_at_ms=note.chat.opened_at_ms)
        for message in found.messages:
            if before_ms is None or message.created_at_ms is None or message.created_at_ms < before_ms:
                await self._tell(channel, note.chat, message)
        return seen(note, dialog, has_spoken=found.has_spoken, now_ms=_now_ms())

    async def _read_log(self, channel: Channel, chat: Chat) -> Known:
        conversation = channel.path.conversation(SessionId(chat.session))
        pattern = f"p.{partition_of((chat.session,), self._partitions)}.{conversation.prefix}.>"
        known = Known(channel.settings.max_text_len)
        after = 0
        while True:
            page = await read_range(self._connection, CONVERSATIONS, (pattern,), after=after, limit=LOG_PAGE)
            for message in page:
                known.read(message)
            if len(page) < LOG_PAGE:
                return known
            after = page[-1].sequence

    async def _tell(self, channel: Channel, chat: Chat, message: DialogMessage) -> None:
        event_id = told_id(chat.session, message.key)
        request = own_event(chat, DIALOG_MESSAGE, _event_data(message), event_id=event_id, now_ms=_now_ms())
        stored = await self._conversations.tell(channel, Kind.NOTICE, request, event_id=event_id)
        if not stored.duplicate:
            COLLECTED.inc()


def _event_data(message: DialogMessage) -> dict[str, JsonValue]:
    return {
        "id": message.id,
        "author": message.author,
        "kind": message.kind,
        "text": message.text,
        "created_at": message.created_at,
        "operator_id": message.operator_id,
        **message.details,
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
