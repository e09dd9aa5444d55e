"""What may be looked at of what an outside system said: ids, moments and shapes, nothing that people wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.redaction import HIDDEN, redacted

MESSAGE: dict[str, Any] = {
    "channel": "/api/v5/orgs/o1/owned_chats/c1/messages",
    "action": "added",
    "resource_id": "m-1",
    "resource": {
        "id": "m-1",
        "type": "msg",
        "created_at": "2026-11-21T20:00:00.123Z",
        "sender_type": "user",
        "sender_public_name": "Aino",
        "sender_avatar": {"id": "a1", "url": "https://cdn.example.org/a.png"},
        "message": "a text of 27 characters, no",
        "is_encrypted": False,
        "encrypted_message": None,
        "attachments": [{"id": "x1", "text": "Yes", "actions": [{"type": "link_button", "value": "secret words"}]}],
        "message_count": 3,
    },
}


def test_a_message_is_shown_as_its_ids_and_the_length_of_what_was_written() -> None:
    assert redacted(MESSAGE) == {
        "channel": "/api/v5/orgs/o1/owned_chats/c1/messages",
        "action": "added",
        "resource_id": "m-1",
        "resource": {
            "id": "m-1",
            "type": "msg",
            "created_at": "2026-11-21T20:00:00.123Z",
            "sender_type": "user",
            "sender_public_name": HIDDEN,
            "sender_avatar": HIDDEN,
            "message": "<27 characters>",
            "is_encrypted": False,
            "encrypted_message": None,
            "attachments": [
                {"id": "x1", "text": "<3 characters>", "actions": [{"type": "link_button", "value": "<12 characters>"}]}
            ],
            "message_count": 3,
        },
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param({"visitor_secret_id": "abc"}, {"visitor_secret_id": HIDDEN}, id="an id that opens something"),
        pytest.param({"access_token": {"a": 1}}, {"access_token": HIDDEN}, id="a token, whatever it is made of"),
        pytest.param({"id": "hello there"}, {"id": "<11 characters>"}, id="words where an id should be"),
        pytest.param({"type": "ä"}, {"type": "<1 characters>"}, id="no ASCII where a word should be"),
        pytest.param({"text": ""}, {"text": ""}, id="nothing"),
        pytest.param({"number": 358401234567}, {"number": "<a number>"}, id="a number as a phone has"),
        pytest.param({"hello there": 1, "id": "x"}, {"<member 1>": 1, "id": "x"}, id="words where a name should be"),
        pytest.param({"tag": None, "url": None}, {"tag": None, "url": None}, id="null tells nothing"),
    ],
)
def test_what_is_not_known_to_be_harmless_is_hidden(value: Any, shown: Any) -> None:
    assert redacted(value) == shown


planted = st.just("planted words")
bodies = st.recursive(
    st.one_of(planted, st.integers(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(planted, st.sampled_from(["id", "type", "message", "at"])), inner, max_size=3),
    ),
)


@given(bodies)
def test_words_are_never_shown_wherever_they_stand(body: Any) -> None:
    assert "planted" not in str(redacted(body))
