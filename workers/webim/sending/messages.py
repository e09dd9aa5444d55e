"""Pure: the messages that a bot sends to Webim, and the actions that end its part in a chat, as Webim spells them.

Source: specs/webim.md sections 3.2 and 3.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import JsonValue

from broker.domain.wire import Wire

_OPERATOR_ID = re.compile(r"0*[1-9][0-9]{0,17}")
_HUMP = re.compile(r"(?<=[a-z])[A-Z]")


class Operator(Wire):
    """A text."""

    kind: Literal["operator"] = "operator"
    text: str


class Button(Wire):
    """One button; the id comes back when it is pressed."""

    id: str
    text: str


class Keyboard(Wire):
    """Buttons, in rows."""

    kind: Literal["keyboard"] = "keyboard"
    buttons: list[list[Button]]


class FileData(Wire):
    """Where a file is, and what."""

    url: str
    name: str
    media_type: str


class FileOperator(Wire):
    """A file or an image."""

    kind: Literal["file_operator"] = "file_operator"
    data: FileData


Message: TypeAlias = Operator | Keyboard | FileOperator


class Action(Wire):
    """What ends the bot's part in a chat; dumped, it is the form that a v1 answer has in its ``actions``.

    Source: help.cloud.just-ai.com, channels/webim/actions_webim, read 2026-11-21 (names, ``type``, categories).
    """

    type: Literal["redirect_to_operator", "redirect_to_department", "redirect_to_queue", "close_chat"]
    operator_id: str | None = None
    department_key: str | None = None
    category: str | None = None
    sub_category: str | None = None


def read_action(asked: Mapping[str, JsonValue]) -> Action | None:
    """One action, in snake case or in camel case; None if it is unknown or lacks what it needs."""
    given = {_snake(key): value for key, value in asked.items()}
    kind = given.get("type")
    match _snake(kind) if isinstance(kind, str) else None:
        case "redirect_to_operator":
            operator_id = given.get("operator_id")
            number = operator_id if isinstance(operator_id, str) else repr(operator_id)  # True is no number either
            return Action(type="redirect_to_operator", operator_id=number) if _OPERATOR_ID.fullmatch(number) else None
        case "redirect_to_department":
            key = given.get("department_key")
            if not isinstance(key, str) or not key.strip():
                return None
            return Action(type="redirect_to_department", department_key=key)
        case "redirect_to_queue":
            return Action(type="redirect_to_queue")
        case "close_chat":
            category, sub_category = label(given.get("category")), label(given.get("sub_category"))
            return Action(type="close_chat", category=category, sub_category=sub_category)
        case _:
            return None


def label(value: JsonValue) -> str | None:
    """The value if it is a text with more than blanks in it."""
    return value if isinstance(value, str) and value.strip() else None


def _snake(name: str) -> str:
    return _HUMP.sub(lambda hump: f"_{hump[0]}", name).lower()
