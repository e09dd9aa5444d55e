"""What giosg says, read tolerantly where nothing depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers.giosg.wire import ChatView, MessageView, RoomView


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        pytest.param("attachments", [{"id": 5, "title": ["x"], "text": "a card"}, "odd"], "a card", id="an odd card"),
        pytest.param("attachments", [{"text": "a card", "actions": [None, {"text": 5}]}], "a card", id="odd buttons"),
        pytest.param("attachments", [{"text": "a card", "actions": "none"}], "a card", id="no list of buttons"),
    ],
)
def test_a_message_is_not_lost_for_its_adornments(member: str, value: Any, expected: str) -> None:
    found = MessageView.model_validate({"id": "m1", "message": "hello", member: value})
    assert found.attachments is not None
    assert [card.text for card in found.attachments] == [expected]
    assert found.message == "hello"


def test_what_adorns_is_none_where_its_form_is_another() -> None:
    found = MessageView.model_validate(
        {"id": "m1", "sender_public_name": 5, "sender_avatar": "https://a.example/1", "attachments": "none"}
    )
    assert (found.sender_public_name, found.sender_avatar, found.attachments) == (None, None, None)
    assert RoomView.model_validate({"id": "r", "is_online": True, "language_code": {}}).language_code is None


@pytest.mark.parametrize("wrong", [{"is_ended": "yes"}, {"updated_at": 5}, {"message_count": "3"}, {"id": "a.>"}])
def test_what_decides_must_have_its_form(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatView.model_validate({"id": "c1", **wrong})


def test_a_change_tells_what_it_holds_and_null_is_a_value() -> None:
    found = ChatView.model_validate({"id": "c1", "ended_at": None, "unknown": 1})
    assert found.model_fields_set == {"id", "ended_at"}
