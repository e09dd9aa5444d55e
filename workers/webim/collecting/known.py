"""Pure: what a conversation's log tells of its dialog, and which messages of the dialog are new to it.

The log is the only memory of what was collected. Source: specs/webim.md section 3.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker import codec
from broker.domain import headers as names
from broker.domain.dialogs import DIALOG_MESSAGE, LIVECHAT_STARTED, DialogRequest, request_in, response_in
from broker.domain.events import Receipt, read_notification, read_visitor
from broker.domain.grammar import parse_conversation
from broker.domain.subjects import VISITOR_KINDS, Kind
from broker.domain.wire import Body, dump, validate
from broker.errors import BackboneError
from broker.transport.reader import StoredMessage
from workers.webim.channel import WEBIM
from workers.webim.chat.notices import told_id
from workers.webim.collecting.dialog import (
    AGENT_KINDS,
    BOT_KINDS,
    CLIENT_KINDS,
    Dialog,
    DialogMessage,
    Json,
    Signature,
    signature,
)
from workers.webim.sending.render import render, render_plain

SLACK_MS = 300_000
"""Webim's clock may be as far from ours: what it dates so long before the session is an earlier session's."""


@dataclass(slots=True)
class Known:
    """What the log holds already; ``read`` takes its events in their order.

    ``told``: the ids of collected messages' events. ``ids``: Webim's own, of messages that came with a call.
    ``said``: messages that came with a call without an id. ``answered``: a bot's, by the notification they were in.
    """

    text_characters_max: int
    told: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    said: Counter[Signature] = field(default_factory=Counter)
    answered: dict[int, list[Signature]] = field(default_factory=dict)
    transferred: bool = False

    def read(self, message: StoredMessage) -> None:
        """Take the next event of the log; one that nobody can read tells nothing."""
        try:
            kind = parse_conversation(message.public_subject).kind
            body = codec.decode(message.data)
            if kind in VISITOR_KINDS:
                self._read_visitor(body, message)
            elif kind is Kind.NOTIFICATION and not self.transferred:  # later ones were refused
                self.answered[message.sequence] = self._rendered(body)
            elif kind is Kind.RECEIPT:
                self._read_receipt(validate(Receipt, body, what="receipt"))
        except BackboneError:
            return

    def _read_visitor(self, body: Body, message: StoredMessage) -> None:
        _, payload = read_visitor(WEBIM, body)
        request = request_in(WEBIM, payload)
        if request is None:
            return
        if request.event == DIALOG_MESSAGE:
            self.told.add(message.headers.get(names.MESSAGE_ID, ""))
        elif request.event == LIVECHAT_STARTED:
            self.transferred = True
        for element in _elements(request):
            given = element.get("id")
            if isinstance(given, int | str) and not isinstance(given, bool):
                self.ids.add(str(given))
            else:
                self.said[signature(element)] += 1

    def _rendered(self, body: Body) -> list[Signature]:
        content = read_notification(WEBIM, body)
        response = response_in(WEBIM, body["platforms"][WEBIM])
        if response is not None:
            rendered = render(response, text_characters_max=self.text_characters_max)
        elif content.message is not None:
            rendered = render_plain(content.message, text_characters_max=self.text_characters_max)
        else:
            return []
        return [signature(dump(message)) for message in rendered.messages]

    def _read_receipt(self, receipt: Receipt) -> None:
        if receipt.status == "skipped":  # a failed one may have got half way
            self.answered.pop(receipt.notification, None)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What is to be told, in order; and whether an operator has spoken, now or before."""

    messages: tuple[DialogMessage, ...]
    has_spoken: bool


def fresh(dialog: Dialog, known: Known, *, session: str, opened_at_ms: int) -> Fresh:
    """What the log does not hold yet.

    Everything up to the last message that came with a call of this session is known, or belongs to a session before
    it: operators speak only after the bot. Where Webim gave no ids, its clock tells what is too old.
    """
    said, answered = known.said.copy(), Counter(each for found in known.answered.values() for each in found)
    found = []
    has_spoken = False
    for message in _of_session(dialog, known, opened_at_ms):
        if told_id(session, message.key) in known.told:
            has_spoken |= message.kind in AGENT_KINDS
            continue
        # Before an operator has spoken the bot has; Webim may give a bot the id of an operator.
        may_be_bots = message.kind in BOT_KINDS and (message.operator_id is None or not has_spoken)
        if message.id in known.ids or _taken(said, message) or (may_be_bots and _taken(answered, message)):
            continue
        has_spoken |= message.kind in AGENT_KINDS
        found.append(message)
    return Fresh(tuple(found), has_spoken)


def _taken(counted: Counter[Signature], message: DialogMessage) -> bool:
    """Whether it is one of those; then there is one less."""
    told = message.kind, message.text
    if counted[told] <= 0:
        return False
    counted[told] -= 1
    return True


def _of_session(dialog: Dialog, known: Known, opened_at_ms: int) -> tuple[DialogMessage, ...]:
    messages = dialog.messages
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].kind in CLIENT_KINDS and messages[place].id in known.ids:
            return messages[place + 1 :]
    since_ms = opened_at_ms - SLACK_MS
    return tuple(each for each in messages if each.created_at_ms is None or each.created_at_ms >= since_ms)


def _elements(request: DialogRequest) -> Iterator[Json]:
    """The messages in the call that the question came from: several, one, or the call is one itself."""
    raw = request.raw_request
    if raw is None:
        return
    several, one = raw.get("messages"), raw.get("message")
    if isinstance(several, list):
        yield from (each for each in several if isinstance(each, dict))
    elif isinstance(one, dict):
        yield one
    elif "kind" in raw:
        yield raw
