from typing import Any

import pytest

from broker.domain.dialogs import response_in
from broker.domain.events import read_notification
from broker.domain.wire import dump
from workers.webim.channel import WEBIM, Channel, ChannelSettings
from workers.webim.chat.chats import Chat, Question, Sending, closed, transferred
from workers.webim.sending.messages import Action, Operator
from workers.webim.sending.steps import (
    LATE_MS,
    AnswersCall,
    Asked,
    Done,
    Plan,
    Refused,
    Unfinished,
    Verdict,
    judge,
    redirects_to_queue,
)

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
OTHER = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d12"
NOW_MS = 1_000_000_000
HI = {"type": "text", "text": "Hi"}


def channel(**settings: Any) -> Channel:
    found = ChannelSettings.model_validate({"name": "Shop", "domain": "examplecom", **settings})
    return Channel(id="ch1", org=ORG, access_token="t", settings=found, created_at_ms=1)  # noqa: S106


def chat(**facts: Any) -> Chat:
    usual: dict[str, Any] = {
        "org": ORG,
        "channel_id": "ch1",
        "chat_id": 1,
        "session": SESSION,
        "dialect": "2",
        "opening_id": "o",
        "opened_at_ms": NOW_MS,
        "last_at_ms": NOW_MS,
    }
    return Chat.model_validate({**usual, **facts})


def asked(response: dict[str, Any] | None = None, *, message: str | None = None, sequence: int = 7) -> Asked:
    members: dict[str, Any] = {"sessionuuid": SESSION}
    if response is not None:
        members["webim_response"] = response
    if message is not None:
        members["webim_message"] = {"type": "text", "value": message}
    content = read_notification(WEBIM, {"platforms": {"webim": members}})
    return Asked(SESSION, sequence, content, response_in(WEBIM, members))


def judged(found: Chat | None, response: dict[str, Any] | None = None, **more: Any) -> Verdict:
    return judge(found, more.pop("of", channel()), asked(response or {"replies": [HI]}, **more), now_ms=NOW_MS)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="nobody knows the session"),
        pytest.param(chat(session=OTHER), id="the chat has another session now"),
        pytest.param(chat(channel_id="ch2"), id="the session is another channel's"),
        pytest.param(transferred(chat(), now_ms=NOW_MS), id="an operator has the chat"),
        pytest.param(closed(chat(), "bot"), id="the chat is closed"),
        pytest.param(chat(last_at_ms=NOW_MS - 86_400_001), id="the chat was idle for too long"),
    ],
)
def test_check_25_what_is_not_the_bots_is_refused(found: Chat | None) -> None:
    assert judged(found) == Refused("chat_not_owned")


def test_replies_come_before_the_action_and_a_plain_message_before_both() -> None:
    response = {"replies": [HI], "actions": [{"type": "close_chat"}]}
    verdict = judged(chat(), response, message="Plain")
    assert verdict == Plan((Operator(text="Plain"), Operator(text="Hi"), Action(type="close_chat")))
    assert isinstance(verdict, Plan)
    assert verdict.action == Action(type="close_chat")


def test_long_texts_are_split_as_the_channel_says() -> None:
    verdict = judged(chat(), {"replies": [{"type": "text", "text": "x" * 250}]}, of=channel(max_text_len=100))
    assert isinstance(verdict, Plan)
    assert len(verdict.steps) == 3


@pytest.mark.parametrize(
    ("facts", "response", "message", "withheld"),
    [
        pytest.param({}, {"question_id": "q1", "replies": [HI]}, None, True, id="by its question"),
        pytest.param({"more": True}, {"question_id": "q1", "replies": [HI]}, None, True, id="also when it comes late"),
        pytest.param({}, {"question_id": "q2", "replies": [HI]}, None, False, id="another question"),
        pytest.param({}, {"replies": [HI]}, None, True, id="no question, and nothing else was asked"),
        pytest.param({"more": True}, {"replies": [HI]}, None, False, id="no question, and something else was asked"),
        pytest.param({}, None, "Hi", True, id="a plain message, and nothing else was asked"),
    ],
)
def test_check_17_replies_to_new_chat_started_are_not_shown(
    facts: dict[str, Any],
    response: dict[str, Any] | None,
    message: str | None,
    withheld: bool,  # noqa: FBT001 - a table
) -> None:
    found = chat(quiet_question="q1", **facts)
    for of, expected in ((channel(), withheld), (channel(deliver_init_replies=True), False)):
        plan = judge(found, of, asked(response, message=message), now_ms=NOW_MS)
        assert isinstance(plan, Plan)
        assert (plan.withheld, plan.skipped) == (expected, "init_reply" if expected else None)


def test_an_action_of_new_chat_started_is_carried_out_all_the_same() -> None:
    response = {"question_id": "q1", "replies": [HI], "actions": [{"type": "redirect_to_queue"}]}
    plan = judged(chat(quiet_question="q1"), response)
    assert isinstance(plan, Plan)
    assert (plan.steps, plan.withheld, plan.skipped) == ((Action(type="redirect_to_queue"),), True, None)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param({"replies": []}, "nothing_to_show", id="nothing"),
        pytest.param({"replies": [{"type": "text", "text": " "}]}, "nothing_to_show", id="blanks"),
        pytest.param({"replies": [{"type": "carousel"}]}, "unsupported_reply", id="what Webim has no form for"),
        pytest.param({"endSession": True}, None, id="the end of the session"),
    ],
)
def test_what_asks_for_nothing_is_skipped(response: dict[str, Any], expected: str | None) -> None:
    plan = judged(chat(), response)
    assert isinstance(plan, Plan)
    assert plan.skipped == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param(None, Refused("late_reply"), id="no call is open"),
        pytest.param(Question(id="q", until_ms=NOW_MS + 1), AnswersCall(), id="a call is open"),
        pytest.param(Question(id="q", until_ms=NOW_MS - LATE_MS + 1), AnswersCall(), id="a call may just be ending"),
        pytest.param(Question(id="q", until_ms=NOW_MS - LATE_MS), Refused("late_reply"), id="the call is over"),
    ],
)
def test_check_23_in_v1_only_an_open_call_is_answered(question: Question | None, expected: Verdict) -> None:
    found = chat(dialect="1", question=None if question is None else dump(question))
    assert judged(found) == expected


def test_what_was_carried_out_is_not_carried_out_again() -> None:
    assert judged(chat(done=7)) == Done()
    assert judged(closed(chat(done=7), "bot")) == Done()
    assert isinstance(judged(chat(done=6)), Plan)


@pytest.mark.parametrize(("step", "acted"), [pytest.param(2, True, id="acted"), pytest.param(3, False, id="ends")])
def test_what_webim_took_and_nobody_was_told_of_is_told(step: int, acted: bool) -> None:  # noqa: FBT001 - a table
    response = {"replies": [HI], "actions": [{"type": "close_chat"}], "endSession": True}
    found = judged(chat(done=7, sending=dump(Sending(sequence=7, step=step, failed="x"))), response)
    assert isinstance(found, Unfinished)
    assert (found.acted, found.failed) == (acted, "x")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("10.3", False, id="too old"),
        pytest.param("9.12.1", False, id="much too old"),
        pytest.param("10.4", True, id="just new enough"),
        pytest.param("10.5.62", True, id="newer"),
        pytest.param("11", True, id="one number"),
        pytest.param(None, True, id="not told"),
        pytest.param("next", True, id="no number"),
    ],
)
def test_check_27_the_queue_takes_chats_back_from_version_10_4_on(
    version: str | None,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert redirects_to_queue(version) is expected
