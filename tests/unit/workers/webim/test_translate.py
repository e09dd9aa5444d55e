"""What a call of Webim's says, by table: shapes of both dialects, and every way in which a body is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.dialogs import Pressed
from broker.domain.outside_json import NESTING_MAX, as_carried, read_object
from broker.errors import CallRefusedError
from tests.unit.workers.webim.samples import a_chat
from workers.webim.calls.words import MESSAGES_MAX, Ignored
from workers.webim.translate import NewChat, NewMessage, event_of, handler_chat, parse, to_request
from workers.webim.wire import CARRIED_NESTING_MAX, REFUSALS

Json = dict[str, Any]
CHAT: Json = {"event": "new_chat", "chat": {"id": "c1"}}
V2: Json = {"event": "new_message", "chat_id": 1}
V1: Json = {"event": "new_message", "chat": {"id": "c1"}}


def visitor(text: object) -> Json:
    return {"kind": "visitor", "text": text}


def new_chat(**more: Any) -> NewChat:
    found = parse({**CHAT, **more}, separator="\n")
    assert isinstance(found, NewChat)
    return found


def new_message(body: Json) -> NewMessage:
    found = parse(body, separator="\n")
    assert isinstance(found, NewMessage)
    return found


def refusal(body: Json) -> str:
    with pytest.raises(CallRefusedError) as caught:
        parse(body, separator="\n")
    return caught.value.code


def test_every_refusal_has_its_status_in_the_order_of_the_checks() -> None:
    assert [(code, refusal.status) for code, refusal in REFUSALS.items()] == [
        ("method_not_allowed", 405),
        ("unknown_channel", 404),
        ("unauthorized", 401),
        ("unknown_handler", 404),
        ("payload_too_large", 413),
        ("unsupported_media_type", 415),
        ("unsupported_bot_api_version", 404),
        ("bot_api_v2_not_configured", 404),
        ("invalid_json", 400),
        ("invalid_body", 400),
        ("bad_event", 400),
        ("channel_not_deployed", 503),
        ("bad_chat_id", 400),
        ("bad_visitor", 400),
        ("bad_messages", 400),
        ("bad_message", 400),
        ("backbone_unavailable", 503),
        ("internal", 500),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "invalid_json", id="nothing"),
        pytest.param(b"{", "invalid_json", id="half an object"),
        pytest.param(b'{"a": NaN}', "invalid_json", id="not a number"),
        pytest.param(b'{"a": -Infinity}', "invalid_json", id="infinite"),
        pytest.param(b'{"a": 1e999}', "invalid_json", id="a number beyond every number"),
        pytest.param(b'{"a": "\xff"}', "invalid_json", id="no UTF-8"),
        pytest.param(b"[" * 65 + b"]" * 65, "invalid_json", id="65 levels"),
        pytest.param(b"[" * 100_000, "invalid_json", id="levels without end"),
        pytest.param(b'{"a": %s}' % (b"1" * 5_000), "invalid_json", id="a number of 5,000 digits"),
        pytest.param(b"[1]", "invalid_body", id="an array"),
        pytest.param(b"null", "invalid_body", id="null"),
        pytest.param(b'"new_chat"', "invalid_body", id="a text"),
    ],
)
def test_a_body_that_is_no_object_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(CallRefusedError) as caught:
        read_object(data)
    assert caught.value.code == code


def test_a_body_of_64_levels_is_taken_and_its_depths_are_carried_as_text() -> None:
    body = read_object(b'{"a":' * (NESTING_MAX - 1) + b'{"b":1}' + b"}" * (NESTING_MAX - 1))
    found: Any = as_carried(body, CARRIED_NESTING_MAX)
    for _ in range(CARRIED_NESTING_MAX):
        found = found["a"]
    left = NESTING_MAX - CARRIED_NESTING_MAX - 1
    assert json.loads(found) == json.loads('{"a":' * left + '{"b":1}' + "}" * left)


def test_of_a_repeated_key_the_last_value_wins() -> None:
    assert read_object(b'{"event": 1, "event": "new_chat"}') == {"event": "new_chat"}


def test_half_a_character_becomes_the_sign_for_what_is_unreadable() -> None:
    said = new_chat(messages=[visitor("a\ud800b")]).said
    assert said is not None
    assert said.query == "a\ufffdb"


@pytest.mark.parametrize("event", [None, 1, True, ["new_chat"], {}])
def test_an_event_that_is_no_text_is_refused(event: Any) -> None:
    with pytest.raises(CallRefusedError) as caught:
        event_of({"event": event})
    assert caught.value.code == "bad_event"


def test_an_unknown_event_is_ignored_whatever_else_is_in_it() -> None:
    assert parse({"event": "message_edited", "chat_id": True}, separator="\n") == Ignored("event")


@pytest.mark.parametrize(
    ("chat_id", "canonical"),
    [
        pytest.param(1, "1", id="an integer"),
        pytest.param(0, "0", id="zero"),
        pytest.param(2**80, str(2**80), id="an integer beyond 64 bits"),
        pytest.param("9401b039-ace3", "9401b039-ace3", id="a text"),
        pytest.param("чат 1", "чат 1", id="any letters"),
        pytest.param("x" * 128, "x" * 128, id="128 characters"),
    ],
)
def test_check_19_a_chats_id_keeps_its_type(chat_id: int | str, canonical: str) -> None:
    assert new_message({**V2, "chat_id": chat_id, "message": visitor("x")}).chat_id == chat_id
    found = new_chat(chat={"id": chat_id})
    assert found.chat_id == chat_id
    assert type(found.chat_id) is type(chat_id)
    assert str(found.chat_id) == canonical


@pytest.mark.parametrize(
    "chat_id",
    [
        pytest.param(None, id="null"),
        pytest.param(True, id="a boolean"),
        pytest.param(1.0, id="a fraction"),
        pytest.param({}, id="an object"),
        pytest.param([1], id="an array"),
        pytest.param("", id="empty"),
        pytest.param("x" * 129, id="129 characters"),
        pytest.param(10**128, id="129 digits"),
        pytest.param("a\nb", id="a control character"),
        pytest.param("a\x85b", id="a control character beyond ASCII"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_what_can_be_no_chats_id_is_refused(chat_id: object) -> None:
    assert refusal({**CHAT, "chat": {"id": chat_id}}) == "bad_chat_id"
    assert refusal({**V2, "chat_id": chat_id, "message": visitor("x")}) == "bad_chat_id"


def test_a_call_without_a_chat_is_refused() -> None:
    assert refusal({"event": "new_chat"}) == refusal({**CHAT, "chat": "c1"}) == "bad_chat_id"


@pytest.mark.parametrize(
    "found",
    [
        pytest.param("v1", id="a text"),
        pytest.param(None, id="null"),
        pytest.param({}, id="without an id"),
        pytest.param({"id": True}, id="a boolean"),
        pytest.param({"id": 1.5}, id="a fraction"),
        pytest.param({"id": "x" * 257}, id="257 characters"),
    ],
)
def test_a_visitor_of_the_wrong_form_is_refused(found: object) -> None:
    assert refusal({**CHAT, "visitor": found}) == "bad_visitor"


def test_a_visitors_fields_are_told_under_the_platforms_names() -> None:
    found = new_chat(visitor={"id": 7, "fields": {"name": "John", "phone": "+7", "id": "other"}})
    assert (found.visitor_id, found.user_from) == ("7", {"id": "7", "firstName": "John", "phone": "+7"})


def test_of_a_visitors_fields_the_short_and_plain_ones_are_remembered() -> None:
    fields = {"phone": "+7", "note": "x" * 513, "tags": ["a"], **{f"f{number}": "x" for number in range(100)}}
    found = new_chat(visitor={"id": 7, "fields": fields})
    assert (found.user_from["phone"], len(found.user_from)) == ("+7", 65)
    assert {"note", "tags"} & found.user_from.keys() == set()
    assert found.raw["visitor"] == {"id": 7, "fields": fields}


@pytest.mark.parametrize("messages", ["Hello", {}, [1], [visitor("a"), None], [{}] * (MESSAGES_MAX + 1)])
def test_messages_of_the_wrong_form_are_refused(messages: object) -> None:
    assert refusal({**CHAT, "messages": messages}) == "bad_messages"


@pytest.mark.parametrize(
    ("messages", "query"),
    [
        pytest.param([visitor("A"), visitor("B"), visitor("C")], "A\nB\nC", id="all texts, in their order"),
        pytest.param([visitor("A"), visitor("A")], "A\nA", id="equal texts stay"),
        pytest.param([visitor("  A \n"), visitor(" ")], "A", id="ends are trimmed, blanks are skipped"),
        pytest.param([visitor("A\n\nB")], "A\n\nB", id="what is inside stays"),
        pytest.param(
            [visitor("A"), {"kind": "operator", "text": "x"}, {"kind": "info", "text": "y"}, visitor("B")],
            "A\nB",
            id="what others say is left out",
        ),
        pytest.param([visitor(1), {"text": "x"}, {"kind": 2}, visitor("B")], "B", id="what is malformed is left out"),
        pytest.param(
            [visitor("A"), {"kind": "keyboard_response", "data": {"button": {"id": "b", "text": "Yes"}}}],
            "A\nYes",
            id="a button says its text",
        ),
        pytest.param([{"kind": "brand_new", "text": "x"}], None, id="an unknown kind says nothing"),
    ],
)
def test_check_15_only_the_visitors_words_are_the_query(messages: list[Json], query: str | None) -> None:
    said = new_chat(messages=messages).said
    assert (said.query if said is not None else None) == query


def test_texts_are_joined_as_the_channel_is_set() -> None:
    found = parse({**CHAT, "messages": [visitor("A"), visitor("B")]}, separator=" / ")
    assert isinstance(found, NewChat)
    assert found.said is not None
    assert found.said.query == "A / B"


def test_files_alone_are_said_without_a_query() -> None:
    file = {"url": "https://examplecom.webim.ru/file/1", "name": "t.txt"}
    said = new_chat(messages=[{"kind": "file_visitor", "data": file}]).said
    assert said is not None
    assert (said.query, said.files) == (None, (file,))


def test_a_message_of_version_2_stands_in_a_member_of_its_own() -> None:
    found = new_message({**V2, "message": {"id": "f1fe", **visitor(" more ")}})
    assert (found.chat_id, found.said.query, found.message_id) == (1, "more", "f1fe")


def test_a_message_of_version_1_is_the_call_itself() -> None:
    found = new_message({**V1, **visitor("more")})
    assert (found.chat_id, found.said.query, found.message_id) == ("c1", "more", None)


@pytest.mark.parametrize("place", ["data", "response"])
@pytest.mark.parametrize(
    ("button", "expected"),
    [
        pytest.param({"id": "b1", "text": "Delivery"}, Pressed(id="b1", text="Delivery"), id="id and text"),
        pytest.param({"text": "Delivery"}, Pressed(text="Delivery"), id="text alone"),
        pytest.param({"id": "b1"}, Pressed(id="b1"), id="id alone"),
        pytest.param({"id": 5, "text": "Delivery"}, Pressed(id="5", text="Delivery"), id="a number"),
    ],
)
def test_check_21_a_pressed_button_says_its_text(place: str, button: Json, expected: Pressed) -> None:
    said = new_message({**V2, "message": {"kind": "keyboard_response", place: {"button": button}}}).said
    assert (said.query, said.button) == (expected.text or expected.id, expected)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({}, id="no kind"),
        pytest.param({"kind": 1}, id="a kind that is no text"),
        pytest.param("x", id="no object"),
        pytest.param({"kind": "visitor"}, id="a visitor without words"),
        pytest.param({"kind": "visitor", "text": 1}, id="words that are no text"),
        pytest.param({"kind": "keyboard_response"}, id="no button"),
        pytest.param({"kind": "keyboard_response", "data": {"button": {}}}, id="an empty button"),
        pytest.param({"kind": "keyboard_response", "data": {"button": {"text": " "}}}, id="a blank button"),
    ],
)
def test_a_message_of_the_wrong_form_is_refused(message: object) -> None:
    assert refusal({**V2, "message": message}) == "bad_message"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(visitor(" \n"), "blank", id="blanks"),
        pytest.param({"kind": "operator", "text": "x"}, "operator", id="an operator"),
        pytest.param({"kind": "info"}, "info", id="information"),
        pytest.param({"kind": "of next year"}, "kind", id="an unknown kind"),
    ],
)
def test_check_37_what_does_not_concern_a_bot_is_ignored(message: Json, reason: str) -> None:
    assert parse({**V2, "message": message}, separator="\n") == Ignored(reason)


def test_more_text_than_an_event_carries_is_refused_and_not_cut() -> None:
    assert refusal({**V2, "message": visitor("x" * 65_537)}) == "payload_too_large"
    assert refusal({**CHAT, "messages": [visitor("x" * 40_000)] * 2}) == "payload_too_large"
    assert len(new_message({**V2, "message": visitor("x" * 65_536)}).said.query or "") == 65_536


@pytest.mark.parametrize(
    ("body", "chat_id"),
    [
        pytest.param({"chat": {"id": "a"}, "chat_id": "b", "id": "c"}, "a", id="the chat's own id first"),
        pytest.param({"chat_id": 5, "id": "c"}, 5, id="then chat_id"),
        pytest.param({"id": "c"}, "c", id="then id"),
        pytest.param({"chat": {"id": True}, "chat_id": ""}, None, id="none that can be one"),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_handlers_chat_is_found_where_it_may_stand(body: Json, chat_id: int | str | None) -> None:
    assert handler_chat(body) == chat_id


def test_a_start_without_words_is_an_event_with_the_whole_call() -> None:
    found = new_chat(location={"address": "main"}, messages=None)
    request = to_request(a_chat(), found, question_id="q", new_session=True, received_at_ms=0)
    assert (request.event, request.query) == ("newChatStarted", None)
    assert request.event_data == request.raw_request == {**CHAT, "location": {"address": "main"}, "messages": None}
    assert request.received_at == "1970-01-01T00:00:00.000Z"


def test_files_alone_are_an_event_of_their_own() -> None:
    found = new_message({**V2, "message": {"kind": "file_visitor", "data": {"name": "t.txt"}}})
    request = to_request(a_chat(), found, question_id="q", new_session=False, received_at_ms=0)
    assert (request.event, request.query, request.event_data) == ("fileEvent", None, None)
    assert request.data is not None
    assert request.data.files == [{"name": "t.txt"}]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["new_chat", "new_message"]),
    st.sampled_from(["chat", "chat_id", "visitor", "messages", "message", "kind", "text", "data"]),
)
def test_noise_is_refused_in_words_or_taken_and_breaks_nothing(noise: Any, event: str, member: str) -> None:
    body = {"event": event, "chat": {"id": "c"}, "kind": "visitor", "text": "x", member: noise}
    with contextlib.suppress(CallRefusedError):
        parse(body, separator="\n")
