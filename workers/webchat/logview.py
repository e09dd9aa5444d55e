"""Pure: what one socket knows of its conversation from the log, and what it has still to tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from broker import codec
from broker.domain.events import NotificationContent, Receipt, read_notification, read_visitor
from broker.domain.grammar import parse_conversation
from broker.domain.headers import MESSAGE_ID, REDRIVEN
from broker.domain.incoming import read_event, sender_of
from broker.domain.subjects import Conversation, ConversationSubject, Kind
from broker.domain.wire import validate
from broker.transport.reader import StoredMessage
from workers.webchat import translate
from workers.webchat.translate import WEBCHAT
from workers.webchat.wire import Message

IDS_MAX = 1_000
UNCONFIRMED_MAX = 2_000
MESSAGE_KINDS = frozenset((Kind.FIRSTMESSAGE, Kind.MESSAGE))
END_KINDS = frozenset((Kind.EXPIRED, Kind.CANCELLED))

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class LogView:
    """One conversation as far as this socket has read it.

    ``read_to`` is the last sequence taken from the log. ``stored_ids`` are the client's own ids with their
    sequences; ``unconfirmed`` the notifications, as far as they could be read, of which the log holds no receipt.
    """

    conversation: Conversation
    read_to: int = 0
    message_at: int = 0
    ended_at: int = 0
    stored_ids: dict[str, int] = field(default_factory=dict)
    unconfirmed: dict[int, None] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        """Whether the visitor's next message opens the conversation: none since it began or its last link ended."""
        return self.message_at <= self.ended_at

    def learn(self, message: StoredMessage) -> Kind | None:
        """Take one event of the log, in order; None if it is not ours or was taken before.

        Raises:
            BodyError: a receipt that cannot be read.
            GrammarError: a subject outside the grammar.
        """
        if message.sequence <= self.read_to:
            return None
        self.read_to = message.sequence
        subject = parse_conversation(message.public_subject)
        if subject.conversation != self.conversation:
            return None
        self._remember(subject.kind, message)
        return subject.kind

    def show(self, kind: Kind, message: StoredMessage, *, is_new: bool) -> Message | None:
        """The event as the browser gets it; None for what a visitor has no use for, or has on the page already.

        A notification that can be read is one that a receipt is due for, shown just now or earlier.

        Raises:
            BackboneError: the linker will not take it and keeps it as a dead letter; here it is only passed over.
        """
        session = self.conversation.session
        message_id = message.headers.get(MESSAGE_ID) or f"sequence-{message.sequence}"
        if kind is Kind.NOTIFICATION:
            content = self._notification(message)
            self.unconfirmed[message.sequence] = None
            _keep_newest(self.unconfirmed, UNCONFIRMED_MAX)
            return translate.from_notification(content, message_id, message) if is_new else None
        # The visitor sees a message of theirs once, however often it is published again.
        if kind in MESSAGE_KINDS and is_new and REDRIVEN not in message.headers:
            visitor, _ = read_visitor(WEBCHAT, codec.decode(message.data))
            return translate.from_visitor(visitor, translate.client_id_of(session, message_id), message)
        return None

    def _notification(self, message: StoredMessage) -> NotificationContent:
        """Judged by the linker's own reader: what it refuses as a whole, nobody may see in part."""
        body = codec.decode(message.data, depth_max=codec.EVENT_DEPTH_MAX)
        subject = ConversationSubject(self.conversation.path, self.conversation.session, Kind.NOTIFICATION)
        read_event(subject, body, sender_of(body, message.headers))
        return read_notification(WEBCHAT, body)

    def note_stored(self, client_id: str, sequence: int, *, is_message: bool) -> None:
        """Our own event is in the log; reading on is not advanced by it, for others may stand before it."""
        self.stored_ids[client_id] = sequence
        if is_message:
            self.message_at = max(self.message_at, sequence)
        _keep_newest(self.stored_ids, IDS_MAX)

    def take_confirmed(self, sequence: int) -> list[int]:
        """The notifications up to this sequence that wait for a receipt; they are not given twice."""
        confirmed = [number for number in self.unconfirmed if number <= sequence]
        for number in confirmed:
            del self.unconfirmed[number]
        return confirmed

    def _remember(self, kind: Kind, message: StoredMessage) -> None:
        if kind in END_KINDS:
            self.ended_at = max(self.ended_at, message.sequence)
        elif kind is Kind.RECEIPT:
            receipt = validate(Receipt, codec.decode(message.data), what="receipt")
            self.unconfirmed.pop(receipt.notification, None)
        elif kind is not Kind.NOTIFICATION and (message_id := message.headers.get(MESSAGE_ID)):
            client_id = translate.client_id_of(self.conversation.session, message_id)
            self.note_stored(client_id, message.sequence, is_message=kind in MESSAGE_KINDS)


def _keep_newest(kept: dict[_Key, _Value], count_max: int) -> None:
    while len(kept) > count_max:
        del kept[next(iter(kept))]
