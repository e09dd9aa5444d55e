"""Pure: what the visitor says in the messages of a call; the messages of others, and malformed ones, say nothing.

Source: specs/webim.md sections 3.1.1, 3.1.2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broker.domain.dialogs import Pressed
from broker.domain.events import TEXT_CHARACTERS_MAX
from broker.domain.outside_json import Json
from broker.errors import CallRefusedError

MESSAGES_MAX = 500
SILENT_KINDS = frozenset(("operator", "file_operator", "keyboard", "info"))
"""Messages that are not the visitor's."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a visitor said; ``parts`` are the messages it is made of, as they came."""

    query: str | None = None
    files: tuple[Json, ...] = ()
    button: Pressed | None = None
    parts: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing that concerns a bot; ``reason`` is one of a few words."""

    reason: str


def messages_in(body: Json) -> list[Json]:
    """The messages of a ``new_chat``.

    Raises:
        CallRefusedError: ``bad_messages``.
    """
    found = body.get("messages")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CallRefusedError("bad_messages", "'messages' must be null or an array of objects")
    if len(found) > MESSAGES_MAX:
        raise CallRefusedError(
            "bad_messages", f"'messages' has {len(found)} elements: at most {MESSAGES_MAX} are taken"
        )
    return [each for each in found if isinstance(each, dict)]


def combined(messages: Iterable[Json], separator: str) -> Said | None:
    """What the visitor's messages among them say together, None if nothing; what is malformed is passed over."""
    texts: list[str] = []
    files: list[Json] = []
    parts: list[Json] = []
    button: Pressed | None = None
    for message in messages:
        try:
            said = read_said(message)
        except CallRefusedError:
            continue
        if isinstance(said, Ignored):
            continue
        parts.extend(said.parts)
        files.extend(said.files)
        button = said.button or button
        if said.query is not None:
            texts.append(said.query)
    if not parts:
        return None
    return Said(separator.join(texts) if texts else None, tuple(files), button, tuple(parts))


def message_in(body: Json) -> Json:
    """The message of a ``new_message``: a member of its own in v2, the call itself in v1.

    Raises:
        CallRefusedError: ``bad_message``.
    """
    message = body.get("message")
    if message is None:
        return body
    if not isinstance(message, dict):
        raise CallRefusedError("bad_message", "'message' must be an object")
    return message


def message_id_of(message: Json) -> str | None:
    """Webim's own id of a message, None where it gives none."""
    given = message.get("id")
    return str(given) if isinstance(given, int | str) and not isinstance(given, bool) and given != "" else None


def read_said(message: Json) -> Said | Ignored:
    """What one message says.

    Raises:
        CallRefusedError: ``bad_message``.
    """
    match message.get("kind"):
        case "visitor":
            text = message.get("text")
            if not isinstance(text, str):
                raise CallRefusedError("bad_message", "a message of kind 'visitor' must have a string 'text'")
            return Said(query=text.strip(), parts=(message,)) if text.strip() else Ignored("blank")
        case "keyboard_response":
            button = _button(message)
            return Said(query=button.text or button.id, button=button, parts=(message,))
        case "file_visitor":
            data = message.get("data")
            return Said(files=(data if isinstance(data, dict) else {},), parts=(message,))
        case str(kind):
            return Ignored(kind if kind in SILENT_KINDS else "kind")
        case _:
            raise CallRefusedError("bad_message", "a message must have a string 'kind'")


def _button(message: Json) -> Pressed:
    """The pressed button, wherever it stands; one of its two members is enough."""
    for place in ("data", "response"):
        outer = message.get(place)
        button = outer.get("button") if isinstance(outer, dict) else None
        if not isinstance(button, dict):
            continue
        text, given = button.get("text"), button.get("id")
        button_id = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
        label = text.strip() if isinstance(text, str) else ""
        if label or button_id:
            return Pressed(id=button_id or None, text=label or None)
    raise CallRefusedError("bad_message", "a 'keyboard_response' must have the text or the id of a button")


def check_length(said: Said) -> None:
    """Refuse more text than one event carries.

    Raises:
        CallRefusedError: ``payload_too_large``.
    """
    if said.query is not None and len(said.query) > TEXT_CHARACTERS_MAX:
        found = f"what the visitor wrote has {len(said.query)} characters"
        raise CallRefusedError("payload_too_large", f"{found}: at most {TEXT_CHARACTERS_MAX} are taken")
