"""Pure: what a run notes in its case, beside the state machine of cases/transitions.py."""

from __future__ import annotations

from workers.giosg.cases.case import PAST_CHATS_MAX, Case, EndReason, PastChat, Sending, Starting
from workers.giosg.cases.transitions import after_visitor_text, starting_chat
from workers.giosg.wire import MessageView


def begun(case: Case, cause: int, now_ms: int) -> Case:
    """The run ``cause`` opens a chat; if it has begun before, it goes on."""
    if case.is_open:
        return case
    goes_on = case.starting is not None and case.starting.cause == cause
    starting = case.starting if goes_on else Starting(cause=cause, since_ms=now_ms)
    return starting_chat(case).model_copy(update={"starting": starting})


def asked(case: Case) -> Case:
    """From now on there may be a chat that nobody knows of."""
    if case.starting is None or case.is_open:
        return case
    return case.model_copy(update={"starting": case.starting.model_copy(update={"asked": True})})


def not_asked(case: Case) -> Case:
    """Surely no chat was made."""
    if case.starting is None or case.is_open:
        return case
    return case.model_copy(update={"starting": case.starting.model_copy(update={"asked": False})})


def stopped(case: Case) -> Case:
    """No opening is under way; a hold goes on."""
    return case if case.starting is None else case.model_copy(update={"starting": None})


def sending(case: Case, event: int, part: int, now_ms: int) -> Case:
    """From now on giosg may have that part of that event's text."""
    return case.model_copy(update={"sending": Sending(cause=event, part=part, since_ms=now_ms)})


def not_sending(case: Case) -> Case:
    """It surely was not taken, or that does not matter any more."""
    return case.model_copy(update={"sending": None})


def has_taken(case: Case, message: MessageView, event: int, *, done: int, now_ms: int) -> Case:
    """A part was taken. ``done``: the run that this brings to its end, 0 for none."""
    after = after_visitor_text(case, message.id, event, now_ms=now_ms, created_at=message.created_at)
    return after.model_copy(update={"sending": None, "last_at_ms": now_ms, "done": max(case.done, done)})


def sent_parts(case: Case, event: int) -> int:
    """How many parts of that event's text giosg is known to have."""
    return len(case.sent.get(str(event), ()))


def done(case: Case, sequence: int) -> Case:
    """The run has been carried out."""
    return case if sequence <= case.done else case.model_copy(update={"done": sequence})


def chat_left(case: Case, chat_id: str, reason: EndReason, now_ms: int) -> Case:
    """That chat is over, and the conversation goes on in another: nothing of it is told, see section 7.3."""
    if case.chat is None or case.chat.id != chat_id:
        return case
    past = PastChat(
        id=chat_id, opened_at_ms=case.chat.opened_at_ms, ended_at_ms=case.ended_at_ms or now_ms, reason=reason
    )
    kept: dict[str, object] = {"texts": {}, "echoes": []} if reason == "removed" else {}
    return case.model_copy(
        update={
            "chat": None,
            "past": [*case.past, past][-PAST_CHATS_MAX:],
            "stage": "none",
            "starting": None,
            "sending": None,
            "held_since_ms": None,
            "closing_since_ms": None,
            "closing_as": None,
            "ended_at_ms": None,
            "end_reason": None,
            **kept,
        }
    )


def given(case: Case, giver: str | None, hours: float | None) -> Case:
    """Another stub handed the conversation over."""
    return case.model_copy(update={"giver": giver, "giver_hours": hours})


def linked(case: Case, epoch: int, until_ms: int) -> Case:
    """The desk has the conversation until then."""
    if epoch < case.epoch:
        return case
    return case.model_copy(update={"epoch": epoch, "link_until_ms": until_ms})


def unlinked(case: Case, epoch: int = 0) -> Case:
    """The desk has it no more, nor will it by any link up to that epoch."""
    return case.model_copy(update={"epoch": max(case.epoch, epoch), "link_until_ms": 0})


def moved(case: Case, connection: str, now_ms: int) -> Case:
    """Another desk's case becomes this one's."""
    if case.chat is not None:
        case = chat_left(case, case.chat.id, case.end_reason or "released", now_ms)
    return case.model_copy(update={"connection": connection, "epoch": 0, "link_until_ms": 0, "starting": None})
