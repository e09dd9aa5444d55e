"""What a call means for its chat, by table: section 5.3 of the specification, and ids that nobody can guess."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.deployments import Deployment
from broker.domain.subjects import Kind
from tests.unit.workers.webim.samples import ORG, SESSION, a_channel, a_chat
from workers.webim.calls.judging import (
    Call,
    Carry,
    NotOurs,
    Open,
    Repeat,
    asked,
    event_id,
    judge,
    kind_of,
    question_id,
    recorded,
    told,
)
from workers.webim.calls.words import Said
from workers.webim.chat.chats import Chat, Question, Replaced, is_repeat, linked, settled, stub_for, touched
from workers.webim.translate import NewChat, NewMessage

NOW_MS = 10_000_000
FRESH = "11111111-2222-4333-8444-555555555555"
SAID = Said(query="hello")
NEW_CHAT = NewChat("c1", "v1", {"id": "v1"}, SAID, {})
SILENT = NewChat("c1", None, {}, None, {})
MESSAGE = NewMessage("c1", None, {}, SAID, None, {})


def a_call(happened: NewChat | NewMessage = MESSAGE, **changes: Any) -> Call:
    active = Deployment(id="dp1", org=ORG, channel_id="ch1", ref="master", commit="c0ffee", asked_at_ms=0)
    given: dict[str, Any] = {"dialect": "2", "active": active, "webim_version": None, "nonce": "nonce", "at_ms": NOW_MS}
    return Call(channel=changes.pop("channel", a_channel()), happened=happened, **{**given, **changes})


def active(**changes: Any) -> Chat:
    return a_chat(**{"last_at_ms": NOW_MS - 1_000, **changes})


@pytest.mark.parametrize("happened", [NEW_CHAT, SILENT, MESSAGE])
@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(None, id="never seen"),
        pytest.param(active(state="closed", reason="bot"), id="closed"),
        pytest.param(active(last_at_ms=NOW_MS - 86_400_001), id="idle for too long"),
    ],
)
def test_a_chat_without_a_session_gets_one(kept: Chat | None, happened: NewChat | NewMessage) -> None:
    verdict = judge(kept, a_call(happened), new_session=FRESH)
    assert isinstance(verdict, Open)
    assert (verdict.chat.session, verdict.chat.state, verdict.chat.stored) == (FRESH, "active", False)
    assert (verdict.chat.replaces is not None) == (kept is not None and kept.state == "active")


@pytest.mark.parametrize("happened", [NEW_CHAT, SILENT])
def test_a_new_chat_again_with_nothing_in_between_is_a_repeat(happened: NewChat) -> None:
    chat = active()
    assert judge(chat, a_call(happened), new_session=FRESH) == Repeat(chat)


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(active(more=True), id="other events in between"),
        pytest.param(active(state="transferred"), id="an operator had it"),
    ],
)
def test_a_new_chat_begins_a_new_session_and_ends_the_old_one(kept: Chat) -> None:
    verdict = judge(kept, a_call(NEW_CHAT), new_session=FRESH)
    assert isinstance(verdict, Open)
    assert (verdict.chat.session, verdict.chat.replaces) == (FRESH, Replaced(session=SESSION, reason="new_session"))


def test_a_message_of_an_open_chat_is_carried_in_its_session() -> None:
    assert judge(active(), a_call(), new_session=FRESH) == Carry(active())


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(active(state="transferred"), id="an operator has it"),
        pytest.param(active(question=Question(id="q", until_ms=NOW_MS)), id="a question was not answered in time"),
    ],
)
def test_a_message_of_a_chat_that_is_not_the_bots_is_not_routed(kept: Chat) -> None:
    verdict = judge(kept, a_call(), new_session=FRESH)
    assert isinstance(verdict, NotOurs)
    assert verdict.chat.state == "transferred"


@pytest.mark.parametrize("happened", [NEW_CHAT, SILENT, MESSAGE])
def test_a_session_that_nothing_was_told_of_is_opened_again_as_it_is(happened: NewChat | NewMessage) -> None:
    chat = active(stored=False)
    assert judge(chat, a_call(happened), new_session=FRESH) == Open(chat)


def test_a_new_session_knows_what_was_known_of_the_visitor() -> None:
    before = active(state="closed", visitor_id="v1", user_from={"id": "v1", "firstName": "John"})
    verdict = judge(before, a_call(), new_session=FRESH)
    assert (verdict.chat.visitor_id, verdict.chat.user_from["firstName"]) == ("v1", "John")


def test_a_new_session_is_pinned_to_the_version_of_its_time() -> None:
    served = a_call().active.model_copy(update={"ref": "v1.2", "commit": "beef", "service": "shop-beef"})
    chat = judge(None, a_call(active=served), new_session=FRESH).chat
    assert (chat.branch, chat.commit, chat.stub) == ("v1.2", "beef", stub_for("shop-beef", FRESH))
    assert chat.link_until_ms == pytest.approx(NOW_MS + 86_400_000 * 1.1)


def test_an_idle_session_is_over_for_that_reason() -> None:
    verdict = judge(active(last_at_ms=NOW_MS - 86_400_001), a_call(), new_session=FRESH)
    assert verdict.chat.replaces == Replaced(session=SESSION, reason="idle")


def test_an_idle_session_whose_link_ran_out_is_not_said_to_have_ended_once_more() -> None:
    kept = active(last_at_ms=NOW_MS - 86_400_001, stub="shop.chat-1", link_until_ms=NOW_MS)
    assert judge(kept, a_call(), new_session=FRESH).chat.replaces is None


def test_the_opening_of_a_chat_has_one_id_and_a_message_without_one_has_a_fresh_one() -> None:
    assert event_id(a_call(NEW_CHAT), active()) == f"{SESSION}-opening"
    assert event_id(a_call(MESSAGE), active()) == "nonce"


def test_a_messages_id_is_mixed_with_the_channels_secret_and_its_chat() -> None:
    with_id = NewMessage("c1", None, {}, SAID, "m1", {})
    ids = {
        event_id(a_call(with_id), active()),
        event_id(a_call(with_id), active(session=FRESH)),
        event_id(a_call(NewMessage("c1", None, {}, SAID, "m2", {})), active()),
        event_id(a_call(NewMessage("c1:m", None, {}, SAID, "1", {})), active()),
        event_id(a_call(NewMessage("c1", None, {}, SAID, "m:1", {})), active()),
        event_id(a_call(with_id, channel=a_channel().model_copy(update={"access_token": "another"})), active()),
    }
    assert len(ids) == 5
    assert all("m1" not in found for found in ids)


def test_the_same_event_asks_the_same_question_and_no_other_does() -> None:
    assert question_id("a") == question_id("a") != question_id("b")
    assert len(question_id("a")) == 36


@pytest.mark.parametrize(
    ("happened", "spoke", "kind"),
    [
        pytest.param(SILENT, False, Kind.NOTICE, id="a start without words"),
        pytest.param(NEW_CHAT, False, Kind.FIRSTMESSAGE, id="a start with words"),
        pytest.param(MESSAGE, False, Kind.FIRSTMESSAGE, id="the first words after a start without"),
        pytest.param(MESSAGE, True, Kind.MESSAGE, id="later words"),
    ],
)
def test_the_kind_of_an_event_tells_whether_words_were_said_before(
    happened: NewChat | NewMessage, *, spoke: bool, kind: Kind
) -> None:
    assert kind_of(a_call(happened), active(spoke=spoke)) == kind


def test_what_was_told_is_remembered() -> None:
    opened = told(active(stored=False), a_call(SILENT))
    assert (opened.stored, opened.spoke, opened.more) == (True, False, False)
    spoken = told(opened, a_call(MESSAGE, webim_version="10.5"))
    assert (spoken.spoke, spoken.more, spoken.webim_version, spoken.last_at_ms) == (True, True, "10.5", NOW_MS)
    assert is_repeat(opened)
    assert not is_repeat(spoken)


def test_a_call_of_version_1_leaves_its_question_open_until_its_time_is_up() -> None:
    chat = asked(active(), a_call(dialect="1"), "q")
    assert chat.question == Question(id="q", until_ms=NOW_MS + 5_000)
    assert settled(chat, now_ms=NOW_MS + 4_999, idle_s=86_400).state == "active"
    assert settled(chat, now_ms=NOW_MS + 5_000, idle_s=86_400).state == "transferred"
    assert asked(active(), a_call(dialect="2"), "q").question is None


def test_a_silent_start_that_nobody_answers_stays_with_the_bot() -> None:
    chat = asked(active(), a_call(SILENT, dialect="1"), "q")
    assert settled(chat, now_ms=NOW_MS + 5_000, idle_s=86_400).state == "active"


def test_the_answer_to_a_silent_start_is_not_shown_unless_the_channel_says_so() -> None:
    assert asked(active(), a_call(SILENT), "q").quiet_question == "q"
    assert asked(active(), a_call(NEW_CHAT), "q").quiet_question is None
    showing = a_channel(deliver_init_replies=True)
    assert asked(active(), a_call(SILENT, channel=showing), "q").quiet_question is None


def test_a_sessions_record_is_written_now_and_then_and_always_outlasts_the_idle_limit() -> None:
    chat, until_ms = recorded(active(), now_ms=NOW_MS, idle_s=30 * 86_400)
    assert until_ms is not None
    assert until_ms > NOW_MS + 30 * 86_400_000
    assert recorded(chat, now_ms=NOW_MS + 1, idle_s=30 * 86_400) == (chat, None)
    later_ms = until_ms - 30 * 86_400_000
    assert recorded(chat, now_ms=later_ms, idle_s=30 * 86_400)[1] is not None


def test_a_link_outlasts_the_idle_limit_whenever_a_message_comes() -> None:
    idle_s = 600
    chat, hours = linked(active(stub="shop.chat-1"), now_ms=0, idle_s=idle_s)
    assert hours is not None
    sets = 0
    for now_ms in range(0, 3_600_000, 7_000):
        chat, hours = touched(chat, now_ms=now_ms, idle_s=idle_s)
        sets += hours is not None
        assert chat.link_until_ms >= now_ms + idle_s * 1_000
    assert sets <= 3_600_000 / (idle_s * 100)
