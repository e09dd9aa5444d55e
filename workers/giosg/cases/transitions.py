"""Pure: how a case goes on when something happens, the state machine of specs/giosg.md section 5.

Each may be applied again, by any process, to a newer case: what has happened already changes nothing.
"""

from __future__ import annotations

from workers.giosg.cases.case import (
    ECHOES_MAX,
    PAST_CHATS_MAX,
    SENT_MAX,
    TOLD_MAX,
    Case,
    Chat,
    EndReason,
    PastChat,
    Stage,
    chat_ids,
)
from workers.giosg.cases.heard import is_later
from workers.giosg.wire import ChatView, MessageView

ENDED = "ended:"
"""Before a chat's id in ``told``: its end was told, and the link let go."""


def starting_chat(case: Case) -> Case:
    """An opening begins, or goes on after the room was closed; whoever calls sets ``starting``."""
    return case if case.is_open else _staged(case, "starting")


def held(case: Case, now_ms: int) -> Case:
    """The room is closed, and the visitor's texts wait for it to open."""
    if case.is_open:
        return case
    since_ms = now_ms if case.held_since_ms is None else case.held_since_ms
    return _staged(case, "held").model_copy(update={"held_since_ms": since_ms})


def not_started(case: Case) -> Case:
    """The opening was refused, or the room stayed closed for too long; an ended chat stays the last one."""
    if case.is_open:
        return case
    stage: Stage = "none" if case.end_reason is None else "removed" if case.end_reason == "removed" else "ended"
    return case.model_copy(update={"stage": stage, "starting": None, "held_since_ms": None})


def with_chat(case: Case, chat: ChatView, now_ms: int) -> Case:
    """C6 has succeeded, or its chat was found: it is the case's chat from now on, whoever tells of it first.

    The chat before it is past; where nothing had ended that one, its visitor's identity was lost.
    """
    if case.chat is not None and case.chat.id == chat.id and not _has_ended(case):
        return case.model_copy(update={"starting": None, "held_since_ms": None})
    if chat.id in chat_ids(case):
        return case
    past = case.past
    if case.chat is not None:
        ended_at_ms = now_ms if case.ended_at_ms is None else case.ended_at_ms
        reason: EndReason = case.end_reason or "identity_lost"
        before = PastChat(id=case.chat.id, opened_at_ms=case.chat.opened_at_ms, ended_at_ms=ended_at_ms, reason=reason)
        past = [*past, before][-PAST_CHATS_MAX:]
    opened = Chat(id=chat.id, opened_at_ms=now_ms, created_at=chat.created_at)
    ready = {"chat": opened, "past": past, "stage": "open_silent", "starting": None, "held_since_ms": None}
    return case.model_copy(update=ready | {"ended_at_ms": None, "end_reason": None, "closing_since_ms": None})


def after_visitor_text(
    case: Case, message_id: str, event_sequence: int, *, now_ms: int, created_at: str | None = None
) -> Case:
    """C9 has taken (a part of) the text of an event, or was found to have: ``created_at`` is giosg's moment of it."""
    key = str(event_sequence)
    ids = case.sent.get(key, [])
    sent = {**case.sent, key: ids if message_id in ids else [*ids, message_id]}
    for oldest in list(sent)[: max(0, len(sent) - SENT_MAX)]:
        del sent[oldest]
    echoes = [each for each in case.echoes if each != message_id]
    case = case.model_copy(update={"sent": sent, "echoes": echoes})
    if case.chat is None or _has_ended(case):
        return case
    at = case.chat.last_message_at
    chat: dict[str, object] = {
        "visitor_wrote": True,
        "last_message_at": created_at if is_later(created_at, at) else at,
    }
    if not case.chat.visitor_wrote:
        chat["waiting_since_ms"] = now_ms
    if is_later(created_at, case.chat.updated_at):
        chat["updated_at"] = created_at  # what the chat's flags were before that says nothing any more
    case = _in_chat(case, **chat)
    return _staged(case, "waiting") if case.stage == "open_silent" else case


def echoed(case: Case, message: MessageView) -> Case:
    """A visitor's message is told of; the echo of a send that is known to have made it tells nothing new."""
    if message.id in case.echoes or is_sent(case, message.id):
        return case
    if case.chat is None or message.chat_id not in (None, case.chat.id):
        return case
    if is_later(case.chat.last_message_at, message.created_at):
        return case  # older than what is attributed already: no send that is open now can have made it
    return case.model_copy(update={"echoes": [*case.echoes, message.id][-ECHOES_MAX:]})


def after_user_message(case: Case, *, at: str | None = None) -> Case:
    """An agent has written, at that moment of giosg's: flags that are older say nothing any more."""
    return _in_chat(_taken(case, at), answered=True) if case.is_open else case


def after_join(case: Case, *, at: str | None = None) -> Case:
    """An agent has taken the chat, at that moment of giosg's."""
    return _taken(case, at) if case.is_open else case


def after_leave(case: Case, *, users_present: int | None) -> Case:
    """An agent has left; None: how many are still there is not known, the chat's own change will tell."""
    return _staged(case, "unattended") if case.stage == "active" and users_present == 0 else case


def decides(case: Case, chat: ChatView) -> bool:
    """Whether a change of the chat says anything that a case follows: most do not, and cost nothing."""
    flags = {"is_ended", "is_waiting", "is_pending", "present_user_participant_count"}
    return case.chat is not None and case.chat.id == chat.id and bool(flags & chat.model_fields_set)


def needs_whole(case: Case, chat: ChatView) -> bool:
    """Whether a partial change leads to a decision that needs what it does not hold, or must not be taken at its word.

    An end is never believed before C8 says so, nor that a chat which waited is nobody's.
    """
    if not decides(case, chat) or _has_ended(case):
        return False
    if chat.is_ended or is_outdated(case, chat):
        return chat.is_ended is True
    if chat.present_user_participant_count:
        return False
    if _waits(chat):
        return case.stage in ("active", "unattended") and chat.present_user_participant_count is None
    return case.stage == "waiting" and bool({"is_waiting", "is_pending"} & chat.model_fields_set)


def after_flags(case: Case, chat: ChatView) -> Case:
    """The chat's own flags; an end is not among them, see ended(). What is older than the last one says nothing."""
    if not decides(case, chat) or is_outdated(case, chat) or case.chat is None or not case.is_open:
        return case
    updated_at = case.chat.updated_at if chat.updated_at is None else chat.updated_at
    return _staged(_in_chat(case, updated_at=updated_at), _stage_by(case.stage, chat))


def _stage_by(stage: Stage, chat: ChatView) -> Stage:
    waits, present = _waits(chat), chat.present_user_participant_count
    if present:
        return "active"
    if waits:  # of a chat that somebody has, or had, only together with who is there: it may be an old word
        return "waiting" if present == 0 or stage == "open_silent" else stage
    is_left = present == 0 and (stage == "active" or (stage == "waiting" and waits is False))
    return "unattended" if is_left else stage


def is_outdated(case: Case, chat: ChatView) -> bool:
    """Whether giosg has told something younger of the chat before; what has no moment is not."""
    return case.chat is not None and is_later(case.chat.updated_at, chat.updated_at)


def ended(case: Case, reason: EndReason, now_ms: int) -> Case:
    """The chat is over, for good. One that was removed takes with it what is kept of its texts."""
    is_removed = reason == "removed"
    if case.chat is None or case.end_reason == "removed" or (case.end_reason is not None and not is_removed):
        return case
    stage: Stage = "removed" if is_removed else "ended"
    after = case.model_copy(
        update={
            "stage": case.stage if case.stage in ("starting", "held") else stage,
            "end_reason": reason,
            "ended_at_ms": now_ms if case.ended_at_ms is None else case.ended_at_ms,
            "closing_since_ms": None,
        }
    )
    return after.model_copy(update={"texts": {}, "echoes": []}) if is_removed else after


def settled(case: Case, chat_id: str) -> Case:
    """All that follows from the end of that chat was done."""
    return told(case, f"{ENDED}{chat_id}")


def is_settled(case: Case) -> bool:
    """Whether all that follows from the end of the case's chat was done."""
    return case.chat is not None and f"{ENDED}{case.chat.id}" in case.told


def broken(case: Case) -> Case:
    """Somebody has to look at it: giosg said something that cannot be."""
    return _staged(case, "broken")


def closing(case: Case, now_ms: int, reason: EndReason = "ended_by_visitor") -> Case:
    """The visitor, or the end of the link, closes the chat: its end is not an agent's doing."""
    if not case.is_open or case.closing_since_ms is not None:
        return case
    return case.model_copy(update={"closing_since_ms": now_ms, "closing_as": reason})


def end_reason(case: Case) -> EndReason:
    """What the end is called that giosg tells of: it does not say who ended the chat."""
    return "ended_by_giosg" if case.closing_since_ms is None else case.closing_as or "ended_by_visitor"


def is_sent(case: Case, message_id: str) -> bool:
    """Whether it is known which event of the visitor's became that message."""
    return any(message_id in ids for ids in case.sent.values())


def told(case: Case, notice: str) -> Case:
    """The visitor has had that notice."""
    if notice in case.told:
        return case
    return case.model_copy(update={"told": [*case.told, notice][-TOLD_MAX:]})


def _waits(chat: ChatView) -> bool | None:
    """Whether the chat is offered to agents: either flag says yes, only both together no; None: not told."""
    if chat.is_waiting or chat.is_pending:
        return True
    return None if chat.is_waiting is None or chat.is_pending is None else False


def _taken(case: Case, at: str | None) -> Case:
    if case.chat is not None and is_later(at, case.chat.updated_at):
        case = _in_chat(case, updated_at=at)
    return _staged(case, "active")


def _staged(case: Case, stage: Stage) -> Case:
    if case.stage == stage:
        return case
    case = case.model_copy(update={"stage": stage})
    return case if case.chat is None else _in_chat(case, turns=case.chat.turns + 1)


def _in_chat(case: Case, **changes: object) -> Case:
    assert case.chat is not None  # noqa: S101 - asked by whoever calls
    return case.model_copy(update={"chat": case.chat.model_copy(update=changes)})


def _has_ended(case: Case) -> bool:
    return case.stage in ("ended", "removed")
