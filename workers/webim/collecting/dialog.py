"""Pure: a whole dialog as Webim keeps it, and which of its messages a conversation's log does not hold yet.

Source: specs/webim.md section 3.3. Only the spec's public client tells the shapes, so every member may be missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from pydantic import JsonValue

Json: TypeAlias = Mapping[str, JsonValue]
Author: TypeAlias = Literal["client", "agent", "system"]

TEXT_CHARACTERS_MAX = 32_768
"""Of one message; what is longer is cut."""
DETAIL_CHARACTERS_MAX = 2_048
KIND_CHARACTERS_MAX = 128
INTEGER_END = 1 << 63

CLIENT_KINDS = frozenset(("visitor", "file_visitor", "keyboard_response"))
AGENT_KINDS = frozenset(("operator", "file_operator"))
BOT_KINDS = AGENT_KINDS | {"keyboard"}
INFO_KIND = "info"


@dataclass(frozen=True, slots=True)
class DialogMessage:
    """One message of a dialog; ``key`` tells it from every other one of its chat, also where Webim gave no ``id``.

    ``created_at`` is ISO 8601 in UTC where Webim's own moment could be read, else as it came. ``details``: the ``file``
    or the ``button`` that it is.
    """

    key: str
    kind: str
    id: str | None = None
    text: str = ""
    created_at: str | None = None
    created_at_ms: int | None = None
    operator_id: str | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def author(self) -> Author:
        """Who wrote it, as far as its kind tells."""
        if self.kind in CLIENT_KINDS:
            return "client"
        return "agent" if self.kind in AGENT_KINDS else "system"


@dataclass(frozen=True, slots=True)
class Dialog:
    """One chat, and the operator who has it; ``is_closed`` only where Webim says so in one of the ways that we know."""

    chat_id: str
    messages: tuple[DialogMessage, ...] = ()
    operator_id: str | None = None
    is_closed: bool = False


Signature: TypeAlias = tuple[str, str]
"""Kind and content: what two tellings of one message have in common where no id is told."""


def read_dialog(chat: Json) -> Dialog | None:
    """The chat, None if it has no id; what is no message of it is passed over."""
    chat_id = _id(chat.get("id"))
    if chat_id is None:
        return None
    found = chat.get("messages")
    seen: Counter[str] = Counter()
    read = (
        [_message(element, seen) for element in found if isinstance(element, dict)] if isinstance(found, list) else []
    )
    messages = tuple(message for message in read if message is not None)
    return Dialog(chat_id, messages, _id(chat.get("operator_id")), _is_closed(chat))


def bot_messages_in(dialog: Dialog) -> int:
    """How many messages are the bot's, in a chat that the bot has.

    Webim names no operator of such a message, or else (its public client knows a bot by an operator's id) the one who
    has the chat.
    """
    return sum(
        message.kind in BOT_KINDS and message.operator_id in (None, dialog.operator_id) for message in dialog.messages
    )


def signature(message: Json) -> Signature:
    """Kind and content of a message as it stands in any call or answer of Webim's, or of ours to Webim."""
    kind = message.get("kind")
    return str(kind), _content(str(kind), message)


def _message(element: Json, seen: Counter[str]) -> DialogMessage | None:
    kind = element.get("kind")
    if not isinstance(kind, str) or not kind:
        return None
    text, message_id = _content(kind, element), _id(element.get("id"))
    at_ms, at = _moment(element.get("created_at"))
    key = f"id {message_id}" if message_id is not None else f"at {at} {kind} {text}"
    seen[key] += 1
    if seen[key] > 1:
        if message_id is not None:
            return None  # the same one, told twice
        key = f"{key} {seen[key]}"  # the same words within the same second
    return DialogMessage(
        key=key,
        kind=_carried(kind, KIND_CHARACTERS_MAX),
        id=message_id,
        text=text,
        created_at=at,
        created_at_ms=at_ms,
        operator_id=_id(element.get("operator_id")),
        details=_details(kind, element.get("data")),
    )


def _details(kind: str, data: JsonValue) -> Mapping[str, JsonValue]:
    """What a program may want to know of a file or a button, and nothing else of what Webim may keep there."""
    if not isinstance(data, dict):
        return {}
    if kind.startswith("file_"):
        return {"file": _plain(data, ("id", "url", "name", "media_type", "size"))}
    button = data.get("button")
    return {"button": _plain(button, ("id", "text"))} if isinstance(button, dict) else {}


def _plain(found: Json, members: tuple[str, ...]) -> dict[str, JsonValue]:
    plain: dict[str, JsonValue] = {}
    for member in members:
        value = found.get(member)
        if isinstance(value, str):
            plain[member] = _carried(value, DETAIL_CHARACTERS_MAX)
        elif isinstance(value, int) and abs(value) < INTEGER_END:
            plain[member] = value
    return plain


def _carried(text: str, characters_max: int) -> str:
    """As the bus can carry it: JSON can spell half a character, UTF-8 cannot."""
    return text[:characters_max].encode(errors="replace").decode()


def _content(kind: str, message: Json) -> str:
    """What it says, blanks at its ends aside: a text, a pressed button's words, or where a file is."""
    if kind == "keyboard":
        return ""  # its buttons are told in other ways than they were given
    inside = [
        _inside(kind, place) for place in (message.get("data"), message.get("response")) if isinstance(place, dict)
    ]
    found = next(filter(None, inside), None) or _first_text(message, "text", "message") or ""
    return _carried(found, TEXT_CHARACTERS_MAX)


def _inside(kind: str, place: Json) -> str | None:
    """The content that is no plain text, in the member that holds it."""
    if kind == "keyboard_response":
        button = place.get("button")
        return _first_text(button, "text", "id") if isinstance(button, dict) else None
    return _first_text(place, "url", "name") if kind.startswith("file_") else None


def _first_text(found: Json, *members: str) -> str | None:
    texts = (found.get(member) for member in members)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)


def _id(value: JsonValue) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return _carried(str(value), DETAIL_CHARACTERS_MAX) or None


def _moment(value: JsonValue) -> tuple[int | None, str | None]:
    """A moment in milliseconds and as ISO 8601; without a zone it is UTC."""
    if not isinstance(value, str):
        return None, None
    try:
        found = datetime.fromisoformat(value)
        moment = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, _carried(value, DETAIL_CHARACTERS_MAX)
    return int(moment.timestamp() * 1000), moment.isoformat().replace("+00:00", "Z")


def _is_closed(chat: Json) -> bool:
    """Whether it says that it is over: by its state, by the last of its states, or by when it was closed."""
    history = chat.get("state_history")
    last = history[-1] if isinstance(history, list) and history else None
    for state in (chat.get("state"), last.get("state") if isinstance(last, dict) else None):
        if isinstance(state, str):
            return state.startswith("closed") or state == "deleted"
    return bool(chat.get("closed_at"))
