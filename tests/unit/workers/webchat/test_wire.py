import json
from typing import Any

import pytest

from broker.errors import InvalidBodyError
from workers.webchat.wire import (
    PASS_THROUGH_BYTES_MAX,
    SEQUENCE_MAX,
    TEXT_BYTES_MAX,
    Configure,
    Control,
    Hello,
    Message,
    Say,
    Seen,
    Typing,
    id_in,
    read_frame,
    write_frame,
)

ID = "2f6c2f58-8f43-4a0e-9b7e-2f1b6a1d7c90"
SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
HELLO: dict[str, Any] = {"frame": "hello", "orguuid": ID, "chat_name": "draftmywebchat"}
SAY: dict[str, Any] = {"frame": "say", "id": ID, "text": "hei"}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        pytest.param(HELLO, Hello, id="hello of a new visitor"),
        pytest.param(
            HELLO | {"session": {"sessionuuid": SESSION, "token": "t", "replay_after": 4, "seen": 7}},
            Hello,
            id="hello of a visitor who comes back",
        ),
        pytest.param(HELLO | {"session": None, "pass_through_data": None}, Hello, id="absent members may be null"),
        pytest.param(SAY, Say, id="a message"),
        pytest.param(SAY | {"event": {"page": "tvs"}}, Say, id="a message with a page event"),
        pytest.param(SAY | {"FIRST_MESSAGE": True}, Say, id="a claim of the client is ignored"),
        pytest.param(SAY | {"text": "ä" * (TEXT_BYTES_MAX // 2)}, Say, id="the longest message"),
        pytest.param(
            {
                "frame": "configure",
                "id": ID,
                "platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"},
            },
            Configure,
            id="a platform switch",
        ),
        pytest.param({"frame": "control", "id": ID, "event": {}}, Control, id="an empty page event"),
        pytest.param({"frame": "typing"}, Typing, id="typing"),
        pytest.param({"frame": "seen", "sequence": 12}, Seen, id="how far was read"),
    ],
)
def test_a_frame_is_read_as_what_it_says(frame: dict[str, Any], kind: type) -> None:
    assert isinstance(read_frame(json.dumps(frame)), kind)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hei", id="no JSON"),
        pytest.param("[1]", id="no object"),
        pytest.param("{}", id="no kind"),
        pytest.param('{"frame":"shout"}', id="an unknown kind"),
        pytest.param(json.dumps(SAY | {"id": "1"}), id="an id that is no uuid"),
        pytest.param(json.dumps(SAY | {"text": 1}), id="a text that is a number"),
        pytest.param(json.dumps(SAY | {"text": "ä" * (TEXT_BYTES_MAX // 2 + 1)}), id="a text over 64 KiB in bytes"),
        pytest.param(json.dumps(SAY | {"event": [1]}), id="a page event that is no object"),
        pytest.param('{"frame":"seen","sequence":-1}', id="a negative sequence"),
        pytest.param('{"frame":"seen","sequence":"1"}', id="a sequence in quotes"),
        pytest.param(json.dumps({"frame": "seen", "sequence": SEQUENCE_MAX + 1}), id="a sequence too large"),
        pytest.param(json.dumps(HELLO | {"pass_through_data": "x" * (PASS_THROUGH_BYTES_MAX + 1)}), id="too much data"),
        pytest.param(json.dumps(HELLO | {"session": {"sessionuuid": SESSION}}), id="a session without its token"),
        pytest.param("[" * 100_000, id="deep nesting"),
    ],
)
def test_what_is_no_frame_is_refused_and_never_quoted(text: str) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        read_frame(text)
    assert "ääää" not in str(caught.value)
    assert len(str(caught.value)) < 2_000


@pytest.mark.check(12)
def test_check_12_pass_through_data_stay_byte_for_byte() -> None:
    frame = read_frame(json.dumps(HELLO | {"pass_through_data": "{'a':'b'} \u00e4\n"}))
    assert isinstance(frame, Hello)
    assert frame.pass_through_data == "{'a':'b'} \u00e4\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(json.dumps({"frame": "say", "id": "x"}), "x", id="a frame that is wrong otherwise"),
        pytest.param(json.dumps({"frame": "say", "id": 7}), None, id="an id that is no text"),
        pytest.param(json.dumps({"id": "x" * 65}), None, id="an id that is too long to be given back"),
        pytest.param("{", None, id="no JSON"),
        pytest.param("[" * 100_000, None, id="deep nesting"),
    ],
)
def test_a_refusal_names_the_frame_if_it_can(text: str, expected: str | None) -> None:
    assert id_in(text) == expected


def test_a_frame_to_the_browser_says_what_it_is() -> None:
    frame = Message(sequence=3, id="n3", direction="to_visitor", at_ms=5, agent="Agent", type="text", html="hei")
    found = json.loads(write_frame(frame))
    assert found["frame"] == "message"
    assert found["control"] is None
