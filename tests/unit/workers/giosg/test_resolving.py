"""Which of giosg's messages a send has made whose answer was lost."""

from __future__ import annotations

from typing import Any

import pytest

from workers.giosg.cases.case import Case, Chat
from workers.giosg.runs.resolving import match
from workers.giosg.wire import MessageView

MINE = ("visitor-1", "visitor-0")


def _case(**changes: Any) -> Case:
    chat = Chat(id="c1", opened_at_ms=1, last_message_at="2026-01-01T10:00:00.000Z")
    given: dict[str, Any] = {
        "org": "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90",
        "connection": "support",
        "conversation": "stubber.systems.notifications.webchat",
        "session": "1aa5bc6a-33b3-4a8a-9d3f-0a3ec3b1f1aa",
        "visitor_key": "webchat-1",
        "stage": "waiting",
        "chat": chat,
        "sent": {"5": ["m1"]},
    }
    return Case.model_validate({**given, **changes})


def _message(**changes: Any) -> MessageView:
    given: dict[str, Any] = {
        "id": "m2",
        "type": "msg",
        "sender_type": "visitor",
        "sender_id": MINE[0],
        "message": "hello",
        "created_at": "2026-01-01T10:00:01.000Z",
    }
    return MessageView.model_validate({**given, **changes})


@pytest.mark.parametrize(
    ("message", "is_it"),
    [
        pytest.param(_message(), True, id="same text, after the last one"),
        pytest.param(_message(message=" hello\n"), True, id="blanks around a text say nothing"),
        pytest.param(_message(created_at="2026-01-01T10:00:00.000Z"), True, id="in the same moment as the last one"),
        pytest.param(_message(created_at=None), True, id="giosg does not say when"),
        pytest.param(_message(sender_id="visitor-0"), True, id="sent before giosg lost the visitor"),
        pytest.param(_message(message="hello!"), False, id="another text"),
        pytest.param(_message(message=None), False, id="no text"),
        pytest.param(_message(sender_type="user", sender_id="a"), False, id="an agent's"),
        pytest.param(_message(sender_id="visitor-2"), False, id="another visitor's"),
        pytest.param(_message(id="m1"), False, id="made by an earlier send"),
        pytest.param(_message(type="join"), False, id="no message"),
        pytest.param(_message(created_at="2026-01-01T09:59:59.999Z"), False, id="older than the last one"),
    ],
)
def test_a_message_is_recognized_by_who_wrote_it_its_text_and_its_place(message: MessageView, *, is_it: bool) -> None:
    assert match(_case(), [message], "hello", MINE) == (message if is_it else None)


def test_the_first_that_fits_is_taken() -> None:
    first, second = _message(id="m2"), _message(id="m3")
    assert match(_case(), [first, second], "hello", MINE) == first


def test_in_a_chat_in_which_nothing_was_sent_any_moment_will_do() -> None:
    message = _message(created_at="2020-01-01T00:00:00.000Z")
    assert match(_case(chat=Chat(id="c1", opened_at_ms=1), sent={}), [message], "hello", MINE) == message
