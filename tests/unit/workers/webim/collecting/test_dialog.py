"""Dialogs as Webim keeps them, in every shape that the public clients show."""

from __future__ import annotations

from typing import Any

import pytest

from workers.webim.collecting.dialog import (
    TEXT_CHARACTERS_MAX,
    Dialog,
    DialogMessage,
    bot_messages_in,
    read_dialog,
    signature,
)

AT = "2026-11-21T10:00:00Z"


def read(*messages: Any, **members: Any) -> Dialog:
    dialog = read_dialog({"id": 7, "messages": list(messages), **members})
    assert dialog is not None
    return dialog


def read_one(**members: Any) -> DialogMessage:
    [message] = read({"id": "m1", "kind": "operator", "created_at": AT, **members}).messages
    return message


@pytest.mark.parametrize(
    ("kind", "author"),
    [
        pytest.param("visitor", "client", id="a text of the visitor's"),
        pytest.param("file_visitor", "client", id="a file of the visitor's"),
        pytest.param("keyboard_response", "client", id="a pressed button"),
        pytest.param("operator", "agent", id="a text of an operator's"),
        pytest.param("file_operator", "agent", id="a file of an operator's"),
        pytest.param("info", "system", id="Webim's own words"),
        pytest.param("keyboard", "system", id="buttons"),
        pytest.param("apple_chat_response", "system", id="what nobody has told us of"),
    ],
)
def test_the_kind_tells_the_author(kind: str, author: str) -> None:
    assert read_one(kind=kind).author == author


@pytest.mark.parametrize(
    ("members", "text"),
    [
        pytest.param({"text": " hi \n"}, "hi", id="text, its ends trimmed"),
        pytest.param({"message": "hi"}, "hi", id="message, as the public client has it"),
        pytest.param({"message": {"a": 1}}, "", id="no text at all"),
        pytest.param({"kind": "keyboard", "text": "x", "data": {"buttons": []}}, "", id="buttons have no text"),
        pytest.param(
            {"kind": "keyboard_response", "data": {"button": {"id": "b", "text": " Yes "}}},
            "Yes",
            id="a button's words",
        ),
        pytest.param({"kind": "keyboard_response", "data": {"button": {"id": "b"}}}, "b", id="a button's id"),
        pytest.param({"kind": "keyboard_response", "message": "Yes"}, "Yes", id="a button as a text"),
        pytest.param(
            {"kind": "file_operator", "data": {"url": "https://a/b", "name": "b"}}, "https://a/b", id="a file"
        ),
        pytest.param({"kind": "file_operator", "data": {"name": "b"}}, "b", id="a file without an address"),
        pytest.param({"text": "a\ud800b"}, "a?b", id="half a character, which the bus cannot carry"),
        pytest.param({"text": "x" * (TEXT_CHARACTERS_MAX + 1)}, "x" * TEXT_CHARACTERS_MAX, id="too long a text"),
    ],
)
def test_the_text_is_found_wherever_it_stands(members: dict[str, Any], text: str) -> None:
    assert read_one(**members).text == text


@pytest.mark.parametrize(
    ("given", "shown", "at_ms"),
    [
        pytest.param(AT, AT, 1_795_255_200_000, id="UTC"),
        pytest.param("2026-11-21T13:00:00+03:00", AT, 1_795_255_200_000, id="another zone"),
        pytest.param("2026-11-21 10:00:00", AT, 1_795_255_200_000, id="no zone is UTC"),
        pytest.param("2026-11-21T10:00:00.250000Z", "2026-11-21T10:00:00.250000Z", 1_795_255_200_250, id="fractions"),
        pytest.param("yesterday", "yesterday", None, id="what nobody can read stays as it is"),
        pytest.param(5, None, None, id="a number of unknown unit"),
        pytest.param("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00", None, id="before all time"),
    ],
)
def test_moments_are_told_in_utc(given: Any, shown: str | None, at_ms: int | None) -> None:
    message = read_one(created_at=given)
    assert (message.created_at, message.created_at_ms) == (shown, at_ms)


def test_a_message_with_an_id_is_told_once_and_one_without_by_moment_kind_text_and_turn() -> None:
    twice = {"id": 5, "kind": "operator", "text": "a"}
    same = {"kind": "operator", "text": "ok", "created_at": AT}
    keys = [message.key for message in read(twice, twice, same, same, {**same, "created_at": "x"}).messages]
    assert keys == ["id 5", f"at {AT} operator ok", f"at {AT} operator ok 2", "at x operator ok"]


@pytest.mark.parametrize(
    "element",
    [
        pytest.param("text", id="no object"),
        pytest.param({"id": "m"}, id="no kind"),
        pytest.param({"kind": 3}, id="a kind that is no text"),
        pytest.param({"kind": ""}, id="an empty kind"),
    ],
)
def test_what_is_no_message_is_passed_over(element: Any) -> None:
    assert [message.id for message in read(element, {"id": "m2", "kind": "info"}).messages] == ["m2"]


@pytest.mark.parametrize(
    "chat",
    [
        pytest.param({}, id="no id"),
        pytest.param({"id": True}, id="a boolean"),
        pytest.param({"id": ""}, id="an empty id"),
        pytest.param({"id": 1.5}, id="a fraction"),
    ],
)
def test_a_chat_without_an_id_is_none(chat: dict[str, Any]) -> None:
    assert read_dialog(chat) is None


@pytest.mark.parametrize(
    ("members", "is_closed"),
    [
        pytest.param({}, False, id="no word of it"),
        pytest.param({"state": "chatting"}, False, id="open"),
        pytest.param({"state": "closed_by_operator"}, True, id="closed by an operator"),
        pytest.param({"state": "deleted"}, True, id="deleted"),
        pytest.param({"state_history": [{"state": "queue"}, {"state": "closed"}]}, True, id="closed in the end"),
        pytest.param({"state_history": [{"state": "closed"}, {"state": "queue"}]}, False, id="opened again"),
        pytest.param({"state_history": ["closed"]}, False, id="an unknown form of history"),
        pytest.param({"closed_at": AT}, True, id="a moment"),
        pytest.param({"closed_at": AT, "state": "chatting"}, False, id="the state counts more than a moment"),
        pytest.param({"closed_at": None}, False, id="no moment"),
    ],
)
def test_a_chat_is_closed_where_webim_says_so(members: dict[str, Any], *, is_closed: bool) -> None:
    assert read(**members).is_closed is is_closed


@pytest.mark.parametrize(
    ("chat_operator", "message_operators", "count"),
    [
        pytest.param(None, [None, None, 3], 2, id="a bot has no id, an operator has"),
        pytest.param(9, [9, 9, 3], 2, id="the bot is an operator, and has the chat"),
        pytest.param("9", [9], 1, id="a number or its digits"),
        pytest.param(None, [], 0, id="nothing said"),
    ],
)
def test_a_bots_messages_are_counted(chat_operator: Any, message_operators: list[Any], count: int) -> None:
    messages = [
        {"id": str(number), "kind": "operator", "operator_id": operator}
        for number, operator in enumerate(message_operators)
    ]
    visitor = {"id": "v", "kind": "visitor", "text": "a"}
    assert bot_messages_in(read(visitor, *messages, operator_id=chat_operator)) == count


def test_a_file_and_a_button_keep_what_a_program_may_need_and_nothing_else() -> None:
    file = read_one(kind="file_operator", data={"url": "u", "size": 3, "secret": "x", "name": None})
    assert file.details == {"file": {"url": "u", "size": 3}}
    button = read_one(kind="keyboard_response", data={"button": {"id": "b1", "text": "Yes"}, "request": {}})
    assert button.details == {"button": {"id": "b1", "text": "Yes"}}
    assert read_one(data={"size": 1 << 70}).details == {}


def test_a_message_has_one_signature_in_an_event_in_a_call_and_in_the_dialog() -> None:
    assert signature({"kind": "operator", "text": "Hi "}) == signature({"kind": "operator", "message": "Hi"})
    keyboard: dict[str, Any] = {"kind": "keyboard", "buttons": [[{"id": "b", "text": "B"}]]}
    assert signature(keyboard) == signature({"kind": "keyboard", "data": {"buttons": []}})
    pressed: dict[str, Any] = {"button": {"id": "b1", "text": "Yes"}}
    assert signature({"kind": "keyboard_response", "response": pressed}) == ("keyboard_response", "Yes")
