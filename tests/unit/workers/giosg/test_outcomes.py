"""What answers of giosg's mean, and where the next page may be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from broker.errors import (
    AnswerIncompleteError,
    AnswerUnreadableError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChatGoneError,
    CredentialsRefusedError,
    InvalidNameError,
    RoomUnknownError,
    VisitorTokenRefusedError,
)
from broker.runtime.outbound_http import Answer
from workers.giosg.calls.outcomes import asked_wait_s, failure_of, parsed, read
from workers.giosg.calls.request import CallName, Request, Scheme, giosg_id, next_path
from workers.giosg.wire import ChatView, MessageView, in_order, moment_ms

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
BASE = "https://service.giosg.com"


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def request(name: CallName, scheme: Scheme | None = "Bearer") -> Request:
    return Request(name, "POST", "/x", None, scheme, "credential")


@pytest.mark.parametrize(
    ("name", "scheme", "status", "expected"),
    [
        pytest.param("send", "Bearer", 201, None, id="done"),
        pytest.param("send", "Bearer", 204, None, id="any 2xx"),
        pytest.param("send", "Bearer", 301, ChannelRejectedError, id="redirects are not followed"),
        pytest.param("send", "Bearer", 401, VisitorTokenRefusedError, id="a visitor's token is stale"),
        pytest.param("authenticate", None, 401, ChannelRejectedError, id="C1 has no token"),
        pytest.param("chat", "Token", 401, CredentialsRefusedError, id="API token"),
        pytest.param("chat", "Token", 403, CredentialsRefusedError, id="API token's user"),
        pytest.param("send", "Bearer", 403, ChannelRejectedError, id="forbidden"),
        pytest.param("send", "Bearer", 400, ChannelRejectedError, id="refused"),
        pytest.param("send", "Bearer", 409, ChannelRejectedError, id="conflict"),
        pytest.param("send", "Bearer", 404, ChatGoneError, id="no such chat"),
        pytest.param("chat", "Token", 404, ChatGoneError, id="no such chat of the organization"),
        pytest.param("room", "Token", 404, RoomUnknownError, id="no such room"),
        pytest.param("enter_room", "Bearer", 404, RoomUnknownError, id="no such room for the visitor"),
        pytest.param("create_chat", "Bearer", 404, ChannelRejectedError, id="room or visitor"),
        pytest.param("send", "Bearer", 429, ChannelThrottledError, id="throttled"),
        pytest.param("send", "Bearer", 500, ChannelSilentError, id="nobody knows"),
        pytest.param("send", "Bearer", 504, ChannelSilentError, id="nobody knows either"),
        pytest.param("send", "Bearer", 503, ChannelError, id="not done"),
    ],
)
def test_each_status_has_its_class(
    name: CallName, scheme: Scheme | None, status: int, expected: type[ChannelError] | None
) -> None:
    found = failure_of("giosg", request(name, scheme), answer(status), ())
    assert (None if found is None else type(found)) is expected


def test_only_what_may_have_been_done_is_ambiguous() -> None:
    found = [failure_of("giosg", request("send"), answer(status), ()) for status in (500, 502, 503, 504, 400)]
    assert [one is not None and one.may_be_taken for one in found] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"detail": "The room is\\n offline."}', "The room is offline.", id="detail"),
        pytest.param(b'{"message": ["Too long: SECRET"]}', '{"message": ["Too long: \xe2\x80\xa6"]}', id="fields"),
        pytest.param(b"<html>SECRET</html>", "<html>\xe2\x80\xa6</html>", id="no JSON"),
    ],
)
def test_giosgs_own_words_are_kept_without_secrets(body: bytes, expected: str) -> None:
    found = failure_of("giosg", request("send"), answer(400, body), ("SECRET", ""))
    assert isinstance(found, ChannelRejectedError)
    assert found.desc == expected.encode("latin-1").decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("2", 2.0, id="seconds"),
        pytest.param("3600", 60.0, id="capped"),
        pytest.param("Sat, 21 Nov 2026 12:00:05 GMT", 5.0, id="a date"),
        pytest.param("Sat, 21 Nov 2026 11:00:05 GMT", 0.0, id="a date that is over"),
        pytest.param("Sat, 21 Nov 2026 13:00:05 GMT", 60.0, id="a date far off"),
        pytest.param("soon", 0.0, id="neither"),
        pytest.param("-1", 0.0, id="negative"),
        pytest.param("", 0.0, id="nothing"),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, expected: float) -> None:
    assert asked_wait_s(answer(429, retry_after=header), now=NOW) == expected


@pytest.mark.parametrize("name", ["send", "create_chat", "room"])
def test_an_answer_that_is_no_json_leaves_open_what_was_made(name: CallName) -> None:
    with pytest.raises(AnswerUnreadableError) as caught:
        parsed("giosg", request(name), answer(201, b'{"id": '))
    assert caught.value.may_be_taken is (name != "room")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "id", id="missing"),
        pytest.param({"id": "a.>"}, "id", id="an id that is none"),
        pytest.param({"id": "a", "is_ended": "yes"}, "is_ended", id="another type"),
        pytest.param([], "body", id="no object"),
    ],
)
def test_a_protocol_error_names_the_call_and_the_field(body: object, field: str) -> None:
    with pytest.raises(AnswerIncompleteError, match="giosg \\(chat\\)") as caught:
        read(ChatView, body, to="giosg (chat)")
    assert caught.value.field == field
    assert "a.>" not in str(caught.value)


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        pytest.param(f"{BASE}/a?page=2", "/a?page=2", id="the same host"),
        pytest.param("https://service.giosg.com:443/a?page=2", "/a?page=2", id="its port said"),
        pytest.param("/a?page=2", "/a?page=2", id="a path"),
        pytest.param("?page=2", "/here?page=2", id="a query"),
        pytest.param("https://evil.example/a?page=2", None, id="another host"),
        pytest.param("http://service.giosg.com/a", None, id="another scheme"),
        pytest.param("https://service.giosg.com:8443/a", None, id="another port"),
        pytest.param("https://service.giosg.com.evil.example/a", None, id="a longer host"),
        pytest.param("https://service.giosg.com@evil.example/a", None, id="our host as a user"),
        pytest.param("https://x@service.giosg.com/a", None, id="a user"),
        pytest.param("//evil.example/a", None, id="no scheme"),
        pytest.param("https://service.giosg.com:x/a", None, id="no port"),
    ],
)
def test_the_next_page_is_at_the_connections_own_address(following: str, expected: str | None) -> None:
    if expected is not None:
        assert next_path("giosg", BASE, "/here", following) == expected
        return
    with pytest.raises(AnswerIncompleteError) as caught:
        next_path("giosg", BASE, "/here", following)
    assert caught.value.field == "next"


@pytest.mark.parametrize("text", ["a.>", "", "a/b", "a b", "ä", "a\n", "x" * 257])
def test_what_is_no_id_never_stands_in_an_address(text: str) -> None:
    with pytest.raises(InvalidNameError):
        giosg_id(text)


def test_no_credential_is_in_what_a_request_shows_of_itself() -> None:
    shown = repr(Request("send", "POST", "/x", {"message": "hello"}, "Bearer", "planted"))
    assert "planted" not in shown
    assert "hello" not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-21T12:00:00.123Z", 1_795_262_400_123, id="utc"),
        pytest.param("2026-11-21T12:00:00.123", 1_795_262_400_123, id="no zone is utc"),
        pytest.param("2026-11-21T14:00:00.123+02:00", 1_795_262_400_123, id="another zone"),
        pytest.param("yesterday", None, id="not readable"),
        pytest.param(None, None, id="none"),
    ],
)
def test_a_moment_is_utc(text: str | None, expected: int | None) -> None:
    assert moment_ms(text) == expected


def test_messages_are_ordered_by_moment_and_id() -> None:
    given = [("b", "2026-11-21T12:00:00.001Z"), ("a", "2026-11-21T12:00:00.001"), ("z", "2026-11-21T12:00:00.000Z")]
    assert [one.id for one in in_order([MessageView(id=id_, created_at=at) for id_, at in given])] == ["z", "a", "b"]
