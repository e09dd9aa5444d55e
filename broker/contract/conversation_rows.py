"""The rows of a conversation: every subject under ``stubber.systems.notifications``, and its signals."""

from __future__ import annotations

from dataclasses import dataclass

from broker.contract.row import ORG, SAMPLE, SESSION, STUB, TEMPLATE, WEBCHAT, Row
from broker.domain.events import Linked, Receipt, Timeout, Unlinked, notification_model, visitor_model
from broker.domain.managing import ManageLink
from broker.domain.subjects import SIGNALS, Kind, Signal
from broker.domain.wire import Body

_CONFIGURATION: Body = {"orguuid": ORG, "chatname": SAMPLE.path.chat, "passthroughData": "page=pricing"}
_TASK = "manage_stubsession"
_DEADLINE_AT_MS = 1_735_812_000_000


@dataclass(frozen=True, slots=True)
class _Does:
    """What differs between the things that a visitor does."""

    kind: Kind
    meaning: str
    members: Body
    remarks: tuple[str, ...] = ()


_DOES = (
    _Does(
        Kind.INITIALIZE,
        "A visitor opened a session: learn its uuid, and speak first if you like.",
        {},
        (
            "The one subject without a `sessionuuid` pair: the session is in the body.",
            "Published once per session, in every routing mode; a reconnect or a resume publishes nothing.",
        ),
    ),
    _Does(
        Kind.FIRSTMESSAGE,
        "The first message since the session began, or since its last link ended.",
        {"webchat_message": {"type": "text", "value": "hello"}},
        ("`firstmessage` or `message` is judged again by the linker, whatever the subject said.",),
    ),
    _Does(
        Kind.MESSAGE,
        "Every later message; also a control event that comes without a message.",
        {"webchat_message": {"type": "text", "value": "hello again"}},
    ),
    _Does(
        Kind.CONFIGURATION,
        "The visitor filled in a field of the client, such as another platform to carry on at.",
        {
            "webchat_client_configuration": {
                "platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}
            }
        },
        ("The spelling with a doubled `sessionuuid.<session>` pair is read as the single one.",),
    ),
    _Does(
        Kind.NOTICE,
        "Something of the outside channel's own that is no message.",
        {"webchat_control_event": {"action": "page_changed", "page": "pricing"}},
    ),
    _Does(
        Kind.USERDATA,
        "What is known about the visitor changed.",
        {"webchat_meta_data": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0"}},
    ),
    _Does(
        Kind.ENDED,
        "The visitor or the channel ended the session; a live link ends with it.",
        {},
    ),
)


def _visitor(does: _Does) -> Row:
    content: Body = {"sessionuuid": SESSION, **does.members}
    return Row(
        name=str(does.kind),
        area="visitor",
        template=TEMPLATE.subject(does.kind),
        sample=SAMPLE.subject(does.kind),
        publishers=("adapter",),
        consumers=("linker", "developer"),
        stream="CONVERSATIONS",
        meaning=does.meaning,
        model=visitor_model(WEBCHAT),
        inside=("heimdall", WEBCHAT),
        example={"heimdall": {WEBCHAT: {**content, "webchat_configuration": _CONFIGURATION}}},
        typed={"heimdall": {WEBCHAT: content}},
        by_hand=True,
        remarks=does.remarks,
    )


def _notification() -> Row:
    message = {"type": "markdown", "value": "Thanks, **one moment**."}
    content: Body = {
        "sessionuuid": SESSION,
        "webchat_agent": {"name": "Support desk"},
        "webchat_message": message,
        "webchat_client_configuration": {"uploads": {"type": "files", "value": {"enable": True}}},
        "webchat_control_event": {"page": "tvs"},
        "stubsession": {"set_new_with_timeout_hours": 24},
    }
    typed: Body = {"sessionuuid": SESSION, "webchat_message": {"type": "text", "value": "Hello, how can I help?"}}
    typed["stubsession"] = {"set_new_with_timeout_hours": 24}
    return Row(
        name=str(Kind.NOTIFICATION),
        area="stub",
        template=TEMPLATE.subject(Kind.NOTIFICATION),
        sample=SAMPLE.subject(Kind.NOTIFICATION),
        publishers=("service", "linker"),
        consumers=("linker", "adapter", "developer"),
        stream="CONVERSATIONS",
        meaning="A message to the visitor; with a `stubsession` it also links the conversation to the sending stub.",
        model=notification_model(WEBCHAT),
        inside=("platforms", WEBCHAT),
        example={"platforms": {WEBCHAT: content}, "conditions": []},
        typed={"stub": str(STUB), "platforms": {WEBCHAT: typed}},
        by_hand=True,
        remarks=(
            "Any members may go together; only `sessionuuid` is required.",
            "Without `stubsession` the link is untouched.",
            (
                "The sender is the header `Heimdall-Stub`, or in JSON typed by hand the top-level member `stub`; "
                "only a `stubsession` needs it."
            ),
            "`conditions` are for the sender to judge before it sends: here they must be empty or absent.",
            "The linker publishes it too, for whoever asks by the command `notify`.",
        ),
    )


def _manage(kind: Kind, operation: str, meaning: str, members: Body) -> Row:
    content: Body = {"operation": operation, "sessionuuid": SESSION}
    task: Body = {"tasktype": _TASK, "params": {"platform": WEBCHAT, WEBCHAT: {**content, **members}}}
    typed: Body = {"stub": str(STUB), "params": {WEBCHAT: {**content}}}
    return Row(
        name=str(kind),
        area="stub",
        template=TEMPLATE.subject(kind),
        sample=SAMPLE.subject(kind),
        publishers=("service", "linker"),
        consumers=("linker", "developer"),
        stream="CONVERSATIONS",
        meaning=meaning,
        model=ManageLink,
        inside=("params", WEBCHAT),
        example=task,
        typed=typed,
        by_hand=True,
        remarks=("The linker publishes it too, for whoever asks by command.",),
    )


def _fact(kind: Kind, meaning: str, *, body: Linked | Unlinked) -> Row:
    return Row(
        name=str(kind),
        area="facts",
        template=TEMPLATE.subject(kind),
        sample=SAMPLE.subject(kind),
        publishers=("linker",),
        consumers=("adapter", "service", "developer"),
        stream="CONVERSATIONS",
        meaning=meaning,
        model=type(body),
        example=body.model_dump(exclude_none=True),
    )


def _facts() -> tuple[Row, ...]:
    linked = Linked(
        stub=str(STUB),
        stubref=STUB.ref,
        feedback_action="_update_from_webchat",
        epoch=1207,
        timeout_hours=24.0,
        expires_at_ms=_DEADLINE_AT_MS,
        replaces="desk.2024-11-10-WXYZ",
    )
    expired = Unlinked(stub=str(STUB), stubref=STUB.ref, epoch=1207, expires_at_ms=_DEADLINE_AT_MS, reason="timeout")
    cancelled = expired.model_copy(update={"reason": "deleted"})
    return (
        _fact(Kind.LINKED, "The conversation belongs to a stub from here on, until a deadline.", body=linked),
        _fact(Kind.EXPIRED, "The link's deadline passed: the next message goes the unlinked way.", body=expired),
        _fact(Kind.CANCELLED, "The link was ended before its deadline, and by what.", body=cancelled),
    )


def _timeout() -> Row:
    return Row(
        name=str(Kind.TIMEOUT),
        area="facts",
        template=TEMPLATE.subject(Kind.TIMEOUT),
        sample=SAMPLE.subject(Kind.TIMEOUT),
        publishers=("expiry",),
        consumers=("linker", "developer"),
        stream="CONVERSATIONS",
        meaning="The deadline of that epoch has passed, says the clock; what follows from it, the linker decides.",
        model=Timeout,
        example=Timeout(epoch=1207, deadline_at_ms=_DEADLINE_AT_MS).model_dump(),
    )


def _receipt() -> Row:
    return Row(
        name=str(Kind.RECEIPT),
        area="facts",
        template=TEMPLATE.subject(Kind.RECEIPT),
        sample=SAMPLE.subject(Kind.RECEIPT),
        publishers=("adapter",),
        consumers=("service", "developer"),
        stream="CONVERSATIONS",
        meaning="What became of one notification at the outside channel.",
        model=Receipt,
        example=Receipt(notification=1212, status="delivered").model_dump(exclude_none=True),
    )


def _signal(signal: Signal, meaning: str, members: Body | None = None, *remarks: str) -> Row:
    return Row(
        name=signal,
        area="signals",
        template=TEMPLATE.signal(signal),
        sample=SAMPLE.signal(signal),
        publishers=("adapter", "service"),
        consumers=("adapter", "service", "developer"),
        stream="core NATS",
        meaning=meaning,
        example={"sessionuuid": SESSION, "from": "visitor", **(members or {})},
        by_hand=True,
        remarks=(f"Same tail as the conversation, under `{SIGNALS}`; `from` says who: `visitor` or `stub`.", *remarks),
    )


CONVERSATION_ROWS: tuple[Row, ...] = (
    *(_visitor(does) for does in _DOES),
    _notification(),
    _manage(
        Kind.SET,
        "set",
        "Links the conversation to a stub, the sender or another one (a hand-over), replacing the link before it.",
        {
            "stubref": str(STUB.ref),
            "set_new_with_timeout_hours": 24,
            "set_feedback_action": "_update_from_webchat",
        },
    ),
    _manage(Kind.DELETE, "delete", "Ends the link, whoever owns it; where there is none, nothing happens.", {}),
    *_facts(),
    _timeout(),
    _receipt(),
    _signal("typing", "Somebody is typing right now; shown, never stored, never sent again."),
    _signal(
        "presence",
        "Somebody is there, or left; shown, never stored, never sent again.",
        {"present": False},
        "`present` is false when the last window closed that one process of the channel holds, true when the first one "
        "opened; absent: true.",
    ),
)
