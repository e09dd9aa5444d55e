import pytest

from broker.errors import (
    ChannelAnswerError,
    ChannelAuthFailedError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChatGoneError,
)
from broker.runtime.outbound_http import Answer
from workers.webim.sending.client import failure_of, method_of, target_of
from workers.webim.sending.messages import Action

JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(200, JSON, b'{"result":"ok"}'), id="ok"),
        pytest.param(Answer(200, JSON, b"{}"), id="an empty object"),
        pytest.param(Answer(201, JSON, b'{"id":5}'), id="any other good status"),
    ],
)
def test_a_good_answer_is_an_object_without_an_error(answer: Answer) -> None:
    assert failure_of("webim", answer) is None


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        pytest.param(Answer(200, JSON, b'{"error":"x","desc":"y"}'), ChannelRejectedError, False, id="200 with error"),
        pytest.param(Answer(200, JSON, b'{"error":null}'), ChannelRejectedError, False, id="200 with an empty error"),
        pytest.param(Answer(400, JSON, b"{}"), ChannelRejectedError, False, id="400"),
        pytest.param(Answer(404, JSON, b"{}"), ChatGoneError, False, id="404"),
        pytest.param(Answer(409, {}, b""), ChannelRejectedError, False, id="409"),
        pytest.param(Answer(422, {}, b"<html>"), ChannelRejectedError, False, id="422"),
        pytest.param(Answer(302, {"location": "/"}, b""), ChannelRejectedError, False, id="a redirect"),
        pytest.param(Answer(401, JSON, b"{}"), ChannelAuthFailedError, False, id="401"),
        pytest.param(Answer(403, JSON, b"{}"), ChannelAuthFailedError, False, id="403"),
        pytest.param(Answer(200, JSON, b"<html>"), ChannelAnswerError, False, id="200, no json"),
        pytest.param(Answer(200, JSON, b"[]"), ChannelAnswerError, False, id="200, no object"),
        pytest.param(Answer(200, JSON, b""), ChannelAnswerError, False, id="200, nothing"),
        pytest.param(
            Answer(200, {"content-type": "text/html"}, b"{}"), ChannelAnswerError, False, id="200, wrong type"
        ),
        pytest.param(Answer(200, JSON, b"[" * 100_000), ChannelAnswerError, False, id="200, too deep"),
        pytest.param(Answer(429, {}, b""), ChannelThrottledError, True, id="429"),
        pytest.param(Answer(500, {}, b""), ChannelSilentError, True, id="500"),
        pytest.param(Answer(502, {}, b""), ChannelError, True, id="502"),
        pytest.param(Answer(503, {}, b""), ChannelError, True, id="503"),
        pytest.param(Answer(504, {}, b""), ChannelSilentError, True, id="504"),
    ],
)
def test_a_bad_answer_has_its_class(answer: Answer, kind: type[ChannelError], retryable: bool) -> None:  # noqa: FBT001
    found = failure_of("webim", answer)
    assert type(found) is kind
    assert found.retryable is retryable


def test_webims_own_words_are_kept_short_and_are_no_part_of_the_message() -> None:
    found = failure_of("webim", Answer(200, JSON, b'{"error":"chat-not-assigned","desc":"' + b"x" * 1000 + b'"}'))
    assert isinstance(found, ChannelRejectedError)
    assert (found.error, len(found.desc)) == ("chat-not-assigned", 200)
    assert "xxx" not in str(found)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("30", 30.0, id="as long as is taken"),
        pytest.param("31", 0.0, id="longer than is waited for"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 0.0, id="a date"),
        pytest.param("-1", 0.0, id="no number"),
        pytest.param("", 0.0, id="nothing"),
    ],
)
def test_a_pause_that_webim_asks_for_is_kept_if_it_is_short(asked: str, expected: float) -> None:
    found = failure_of("webim", Answer(429, {"retry-after": asked}, b""))
    assert found is not None
    assert found.retry_after_s == expected


@pytest.mark.parametrize(
    ("action", "method", "target"),
    [
        pytest.param(
            Action(type="redirect_to_operator", operator_id="0240001"),
            "redirect_chat",
            {"operator_id": 240001},
            id="operator",
        ),
        pytest.param(
            Action(type="redirect_to_department", department_key="7"),
            "redirect_chat",
            {"dep_key": "7"},
            id="department",
        ),
        pytest.param(Action(type="redirect_to_queue"), "redirect_chat", {}, id="queue"),
        pytest.param(Action(type="close_chat", category="c"), "close_chat", {}, id="close"),
    ],
)
def test_check_25_an_action_is_one_call(action: Action, method: str, target: dict[str, object]) -> None:
    assert (method_of(action), target_of(action)) == (method, target)
