"""The state machine of specs/giosg.md section 5, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from workers.giosg.cases.case import ECHOES_MAX, SEEN_MAX, SENT_MAX, Case, Chat, Stage, Starting
from workers.giosg.cases.heard import deleted, hash_of, is_heard, seen, was_seen, with_text
from workers.giosg.cases.transitions import (
    after_flags,
    after_join,
    after_leave,
    after_user_message,
    after_visitor_text,
    broken,
    closing,
    echoed,
    end_reason,
    ended,
    held,
    is_settled,
    needs_whole,
    not_started,
    settled,
    starting_chat,
    told,
    with_chat,
)
from workers.giosg.wire import ChatView, MessageView

NOW_MS = 1_800_000_000_000
SESSION = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
OLD, NEW = "2026-11-21T10:00:00.000Z", "2026-11-21T10:00:05.000Z"


def case_of(stage: Stage, *, chat: dict[str, Any] | None = None, **members: Any) -> Case:
    """A case with chat ``c1``, unless its stage says that there is none."""
    has_chat = stage not in ("none", "starting", "held") or chat is not None
    of_chat = Chat(id="c1", opened_at_ms=NOW_MS, **(chat or {})) if has_chat else None
    if stage in ("ended", "removed"):
        members = {"end_reason": "ended_by_giosg" if stage == "ended" else "removed", "ended_at_ms": NOW_MS} | members
    return Case(
        org=SESSION,
        connection="support",
        conversation="stubber.somewhere",
        session=SESSION,
        visitor_key="v",
        stage=stage,
        chat=of_chat,
        **members,
    )


def view(**members: Any) -> ChatView:
    return ChatView.model_validate({"id": "c1", **members})


def message(message_id: str, at: str = NEW, **members: Any) -> MessageView:
    return MessageView.model_validate({"id": message_id, "created_at": at, **members})


ACTIVE = case_of("active")
WAITING = case_of("waiting")


@pytest.mark.parametrize(
    ("before", "after", "stage"),
    [
        pytest.param(case_of("none"), starting_chat(case_of("none")), "starting", id="none, open and online"),
        pytest.param(case_of("none"), held(case_of("none"), NOW_MS), "held", id="none, open but offline, to be held"),
        pytest.param(case_of("held"), starting_chat(case_of("held")), "starting", id="held, the room comes online"),
        pytest.param(case_of("held"), not_started(case_of("held")), "none", id="held for too long"),
        pytest.param(case_of("starting"), with_chat(case_of("starting"), view(), NOW_MS), "open_silent", id="C6 ok"),
        pytest.param(case_of("starting"), not_started(case_of("starting")), "none", id="starting, refused"),
        pytest.param(
            case_of("open_silent"),
            after_visitor_text(case_of("open_silent"), "m1", 7, now_ms=NOW_MS),
            "waiting",
            id="the first text of the visitor's",
        ),
        pytest.param(WAITING, after_join(WAITING), "active", id="waiting, an agent joins"),
        pytest.param(WAITING, after_user_message(WAITING), "active", id="waiting, an agent answers at once"),
        pytest.param(
            WAITING,
            after_flags(WAITING, view(is_waiting=False, is_pending=False, present_user_participant_count=0)),
            "unattended",
            id="waiting, nobody's any more",
        ),
        pytest.param(ACTIVE, after_leave(ACTIVE, users_present=0), "unattended", id="active, the last agent leaves"),
        pytest.param(ACTIVE, after_leave(ACTIVE, users_present=1), "active", id="active, one of two agents leaves"),
        pytest.param(ACTIVE, after_leave(ACTIVE, users_present=None), "active", id="active, who is left is not known"),
        pytest.param(case_of("unattended"), after_join(case_of("unattended")), "active", id="unattended, one returns"),
        pytest.param(
            case_of("unattended"), after_user_message(case_of("unattended")), "active", id="unattended, one answers"
        ),
        pytest.param(ACTIVE, ended(ACTIVE, "ended_by_giosg", NOW_MS), "ended", id="open, the end is confirmed"),
        pytest.param(ACTIVE, ended(ACTIVE, "removed", NOW_MS), "removed", id="open, the removal is confirmed"),
        pytest.param(case_of("ended"), ended(case_of("ended"), "removed", NOW_MS), "removed", id="ended, then removed"),
        pytest.param(
            case_of("removed"), ended(case_of("removed"), "ended_by_giosg", NOW_MS), "removed", id="removed is for good"
        ),
        pytest.param(case_of("ended"), starting_chat(case_of("ended")), "starting", id="ended, the visitor writes"),
        pytest.param(
            case_of("starting", chat={}, end_reason="ended_by_giosg"),
            not_started(case_of("starting", chat={}, end_reason="ended_by_giosg")),
            "ended",
            id="ended, and the next one is refused",
        ),
        pytest.param(ACTIVE, broken(ACTIVE), "broken", id="somebody has to look"),
        pytest.param(case_of("ended"), after_join(case_of("ended")), "ended", id="ended, a late join"),
        pytest.param(case_of("ended"), after_user_message(case_of("ended")), "ended", id="ended, a late message"),
        pytest.param(
            case_of("ended"), after_flags(case_of("ended"), view(is_waiting=True)), "ended", id="ended, a late flag"
        ),
        pytest.param(ACTIVE, starting_chat(ACTIVE), "active", id="an open chat is not opened again"),
        pytest.param(ACTIVE, held(ACTIVE, NOW_MS), "active", id="an open chat is not held"),
    ],
)
def test_each_transition_leads_to_its_stage(before: Case, after: Case, stage: Stage) -> None:
    assert after.stage == stage
    if before.chat is not None and after.chat is not None and before.stage != stage not in ("ended", "removed"):
        assert after.chat.turns >= before.chat.turns


@pytest.mark.parametrize(
    ("stage", "flags", "after"),
    [
        pytest.param("open_silent", {"is_waiting": True}, "waiting", id="the waiting flag alone"),
        pytest.param("open_silent", {"is_pending": True}, "waiting", id="the pending flag alone"),
        pytest.param("waiting", {"is_pending": False}, "waiting", id="one flag of two says nothing"),
        pytest.param("waiting", {"present_user_participant_count": 1}, "active", id="an agent is there"),
        pytest.param("waiting", {"present_user_participant_count": 0}, "waiting", id="nobody there yet"),
        pytest.param("active", {"present_user_participant_count": 0}, "unattended", id="nobody there any more"),
        pytest.param("active", {"is_waiting": False, "is_pending": False}, "active", id="taken, as is known"),
        pytest.param(
            "active", {"is_waiting": True, "present_user_participant_count": 0}, "waiting", id="given on to others"
        ),
        pytest.param(
            "unattended", {"is_pending": True, "present_user_participant_count": 1}, "active", id="presence counts more"
        ),
    ],
)
def test_flags_lead_to_a_stage(stage: Stage, flags: dict[str, Any], after: Stage) -> None:
    assert after_flags(case_of(stage), view(**flags)).stage == after


@pytest.mark.parametrize(
    ("case", "change", "expected"),
    [
        pytest.param(ACTIVE, {"is_ended": True}, True, id="an end is confirmed"),
        pytest.param(case_of("ended"), {"is_ended": True}, False, id="an end that is known"),
        pytest.param(ACTIVE, {"tag_count": 2}, False, id="a tag decides nothing"),
        pytest.param(ACTIVE, {"updated_at": NEW, "message_count": 3}, False, id="counters decide nothing"),
        pytest.param(WAITING, {"is_pending": False}, True, id="one flag of two"),
        pytest.param(WAITING, {"is_waiting": False, "is_pending": False}, True, id="waits no more: is it so?"),
        pytest.param(WAITING, {"is_waiting": False, "present_user_participant_count": 1}, False, id="an agent has it"),
        pytest.param(case_of("open_silent"), {"is_waiting": True}, False, id="it waits"),
        pytest.param(ACTIVE, {"is_waiting": True}, True, id="it waits again, or the change is late"),
        pytest.param(
            case_of("active", chat={"updated_at": NEW}),
            {"is_waiting": True, "updated_at": OLD},
            False,
            id="an older change",
        ),
        pytest.param(
            case_of("active", chat={"updated_at": NEW}),
            {"is_ended": True, "updated_at": OLD},
            True,
            id="an end is an end, however old",
        ),
        pytest.param(ACTIVE, {"id": "c2", "is_ended": True}, False, id="another chat"),
    ],
)
def test_a_partial_change_is_completed_only_where_it_decides(
    case: Case, change: dict[str, Any], expected: object
) -> None:
    assert needs_whole(case, view(**change)) is expected


def test_an_older_change_of_flags_is_ignored() -> None:
    case = case_of("active", chat={"updated_at": NEW})
    assert after_flags(case, view(is_waiting=True, present_user_participant_count=0, updated_at=OLD)) == case


def test_a_chat_told_of_twice_is_one_chat() -> None:
    once = with_chat(case_of("starting", starting=Starting(cause=1, since_ms=1)), view(), NOW_MS)
    assert once.starting is None
    assert with_chat(once, view(), NOW_MS + 5) == once


def test_a_new_chat_makes_the_one_before_past() -> None:
    over = ended(ACTIVE, "ended_by_giosg", NOW_MS)
    after = with_chat(over, view(id="c2"), NOW_MS + 9)
    assert [(past.id, past.reason, past.ended_at_ms) for past in after.past] == [("c1", "ended_by_giosg", NOW_MS)]
    assert (after.stage, after.end_reason, after.ended_at_ms) == ("open_silent", None, None)
    assert with_chat(after, view(), NOW_MS) == after, "a past chat is never the case's chat again"


def test_a_chat_that_nothing_ended_is_past_because_its_visitor_was_lost() -> None:
    assert with_chat(ACTIVE, view(id="c2"), NOW_MS).past[0].reason == "identity_lost"


def test_each_change_of_stage_is_counted_once() -> None:
    case = with_chat(case_of("starting"), view(), NOW_MS)
    case = after_visitor_text(case, "m1", 7, now_ms=NOW_MS)
    case = after_join(after_join(case))
    assert case.chat is not None
    assert case.chat.turns == 2


def test_a_text_sent_in_parts_is_noted_by_its_event_and_ends_its_echoes() -> None:
    case = echoed(case_of("open_silent"), message("m1"))
    assert case.echoes == ["m1"]
    case = after_visitor_text(case, "m1", 7, now_ms=NOW_MS, created_at=NEW)
    case = after_visitor_text(case, "m2", 7, now_ms=NOW_MS + 1, created_at=NEW)
    assert (case.sent, case.echoes) == ({"7": ["m1", "m2"]}, [])
    assert after_visitor_text(case, "m2", 7, now_ms=NOW_MS + 2, created_at=OLD) == case
    assert case.chat is not None
    assert (case.chat.waiting_since_ms, case.chat.last_message_at) == (NOW_MS, NEW)
    assert echoed(case, message("m2")) == case, "it is known which send made it"
    assert echoed(case, message("m0", OLD)) == case, "too old for any send that is open now"


def test_what_is_kept_is_bounded() -> None:
    case = case_of("active")
    for number in range(SENT_MAX + 5):
        case = after_visitor_text(case, f"m{number}", number, now_ms=NOW_MS)
    for number in range(ECHOES_MAX + 5):
        case = echoed(case, message(f"e{number}"))
    assert (len(case.sent), len(case.echoes)) == (SENT_MAX, ECHOES_MAX)
    assert str(SENT_MAX + 4) in case.sent


def test_what_was_seen_stays_seen_however_many_follow() -> None:
    case, count = case_of("active"), SEEN_MAX * 3
    entries = [
        message(f"m{number}", f"2026-11-21T10:{number // 60:02}:{number % 60:02}.000Z") for number in range(count)
    ]
    for entry in entries:
        assert not was_seen(case, entry)
        case = seen(case, entry, text="x")
    assert all(was_seen(case, entry) for entry in entries)
    assert len(case.seen) <= SEEN_MAX
    assert not was_seen(case, message("later", "2026-11-21T11:00:00.000Z"))


def test_a_deleted_message_is_neither_shown_later_nor_remembered() -> None:
    case = deleted(seen(ACTIVE, message("m1"), text="secret"), "m1")
    assert case.texts == {}
    assert was_seen(case, message("m1"))
    assert was_seen(deleted(ACTIVE, "m9"), message("m9"))


def test_a_removal_takes_the_texts_with_it() -> None:
    case = ended(with_text(ACTIVE, "m1", "secret"), "removed", NOW_MS)
    assert (case.texts, case.stage, case.end_reason) == ({}, "removed", "removed")


def test_an_edit_is_known_by_its_text() -> None:
    assert with_text(ACTIVE, "m1", "one").texts["m1"] == hash_of("one") != hash_of("two")


def test_a_notice_is_noted_once_and_closing_begins_once() -> None:
    assert told(told(ACTIVE, "waiting"), "waiting").told == ["waiting"]
    assert closing(closing(ACTIVE, 1), 2).closing_since_ms == 1
    assert closing(case_of("ended"), 1).closing_since_ms is None


def test_the_end_of_a_chat_that_is_being_closed_is_called_as_who_closes_it_says() -> None:
    assert end_reason(ACTIVE) == "ended_by_giosg"
    assert end_reason(closing(ACTIVE, 1)) == "ended_by_visitor"
    assert end_reason(closing(ACTIVE, 1, "released")) == "released"


@pytest.mark.parametrize(
    ("case", "heard"),
    [
        pytest.param(ACTIVE, True, id="an open chat"),
        pytest.param(ended(ACTIVE, "ended_by_giosg", NOW_MS), True, id="one that an agent ended"),
        pytest.param(ended(ACTIVE, "left", NOW_MS), False, id="one that the visitor left to the agent"),
        pytest.param(ended(ACTIVE, "removed", NOW_MS), False, id="one that was erased"),
        pytest.param(with_chat(ACTIVE, view(id="c2"), NOW_MS), True, id="one that is out of reach"),
        pytest.param(
            with_chat(ended(ACTIVE, "released", NOW_MS), view(id="c2"), NOW_MS), False, id="a past one, let go"
        ),
        pytest.param(case_of("none"), False, id="none"),
    ],
)
def test_what_is_said_in_a_chat_is_heard_while_it_is_the_desks(case: Case, heard: object) -> None:
    assert is_heard(case, "c1") is heard


def test_an_end_is_settled_once_all_that_follows_was_done() -> None:
    over = ended(ACTIVE, "ended_by_giosg", NOW_MS)
    assert not is_settled(over)
    assert is_settled(settled(over, "c1"))
    assert not is_settled(with_chat(settled(over, "c1"), view(id="c2"), NOW_MS))


def test_flags_from_before_an_agent_came_do_not_make_the_visitor_wait_again() -> None:
    case = after_join(WAITING, at=NEW)
    assert after_flags(case, view(is_waiting=True, present_user_participant_count=0, updated_at=OLD)) == case
