"""What a visitor's event says that giosg can be told."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.ids import ChannelName, SessionId
from workers.giosg.runs.content import Said, attributes_in, name_in, rendered_name, said_in, visitor_key

WEBCHAT = ChannelName("webchat")
FILE = {"originalname": "cat.png", "fileuuid": "f"}
PRESSED = {"webchat_request": {"data": {"button": {"text": "No"}}}}
LINKED = {**FILE, "url": "https://x/c"}
SESSION = SessionId("1aa5bc6a-33b3-4a8a-9d3f-0a3ec3b1f1aa")
OTHER = SessionId("2aa5bc6a-33b3-4a8a-9d3f-0a3ec3b1f1aa")


@pytest.mark.parametrize(
    ("payload", "text", "expected"),
    [
        pytest.param({}, "hello", Said("hello"), id="a text as it is"),
        pytest.param({}, " \n", Said(""), id="blanks say nothing"),
        pytest.param({"webchat_attachments": [FILE]}, "", Said("", 1), id="a file without a link"),
        pytest.param(
            {"webchat_attachments": [{**FILE, "url": "https://x/c"}]},
            "",
            Said("cat.png: https://x/c"),
            id="a file's link",
        ),
        pytest.param(
            {"webchat_attachments": [{**FILE, "url": "javascript:x"}]}, "", Said("", 1), id="only links into the web"
        ),
        pytest.param(
            {"webchat_request": {"data": {"files": [{"url": "http://x/c"}]}}},
            "hi",
            Said("hi\nhttp://x/c"),
            id="a question's",
        ),
        pytest.param(
            {"webchat_message": {"type": "button", "value": {"id": "b", "text": "Yes"}}}, "", Said("Yes"), id="a button"
        ),
        pytest.param(
            {"webchat_request": {"data": {"button": {"text": "No"}}}}, "", Said("No"), id="a question's button"
        ),
        pytest.param(
            {"webchat_request": {"data": {"button": {"text": "No"}}}}, "Nope", Said("Nope"), id="said as well"
        ),
        pytest.param({"webchat_request": 7, "webchat_attachments": "x"}, "", Said(""), id="what has another form"),
    ],
)
def test_what_is_sent_is_what_the_visitor_said(payload: dict[str, Any], text: str, expected: Said) -> None:
    assert said_in(WEBCHAT, payload, text) == expected


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        pytest.param({"webchat_profile": {"display_name": " Alice "}}, "Alice", id="the profile's name"),
        pytest.param({"webchat_profile": {"firstName": "A", "lastName": "B"}}, "A B", id="a name in two parts"),
        pytest.param({"webchat_meta_data": {"name": "Bob"}}, "Bob", id="else of what is known beside it"),
        pytest.param({"from_name": "Carl", "from": "358401234567"}, "Carl", id="a phone's"),
        pytest.param({"webchat_request": {"raw_request": {"visitor": {"fields": {"name": "D"}}}}}, "D", id="Webim's"),
        pytest.param({"webchat_profile": {"name": True}}, "", id="what is no name"),
        pytest.param({}, "", id="nobody says"),
    ],
)
def test_the_name_is_found_where_channels_put_it(payload: dict[str, Any], name: str) -> None:
    assert name_in(WEBCHAT, payload) == name


def test_attributes_are_texts_and_hold_no_name() -> None:
    profile = {"display_name": "Alice", "id": 7, "plan": "gold", "age": 40, "tags": ["x"], "empty": " "}
    assert attributes_in(WEBCHAT, {"webchat_profile": profile}) == {"plan": "gold", "age": "40"}


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        pytest.param("{display_name}", "Alice", "Alice", id="as it is"),
        pytest.param("Web: {display_name}", "Alice", "Web: Alice", id="in its place"),
        pytest.param("Web: {display_name}", "", "", id="no name without one"),
        pytest.param("Guest", "", "Guest", id="a fixed one"),
        pytest.param("{display_name}", "x" * 300, "x" * 255, id="cut"),
        pytest.param("{0.__class__} {display_name}", "A", "{0.__class__} A", id="nothing else is filled in"),
    ],
)
def test_the_template_makes_the_name(template: str, name: str, expected: str) -> None:
    assert rendered_name(template, name) == expected


def test_a_visitor_is_known_by_the_channels_own_id_and_never_by_a_name() -> None:
    named = {"webchat_profile": {"display_name": "Alice"}}
    known = {"webchat_profile": {"display_name": "Alice", "id": "c7"}}
    assert visitor_key("o", WEBCHAT, SESSION, [named]) != visitor_key("o", WEBCHAT, OTHER, [named])
    assert visitor_key("o", WEBCHAT, SESSION, [{}, known]) == visitor_key("o", WEBCHAT, OTHER, [known])
    assert visitor_key("o", WEBCHAT, SESSION, [known]) != visitor_key("p", WEBCHAT, SESSION, [known])
    phone = [{"from": "358401234567"}]
    assert visitor_key("o", ChannelName("sms"), SESSION, phone) == visitor_key("o", ChannelName("sms"), OTHER, phone)
    webim = [{"webim_request": {"visitor_id": "v1"}}]
    assert visitor_key("o", ChannelName("webim"), SESSION, webim) == visitor_key(
        "o", ChannelName("webim"), OTHER, webim
    )
