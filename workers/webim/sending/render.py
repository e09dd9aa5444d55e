"""Pure: what a program answers, as the messages that Webim understands and the one thing that ends the bot's part.

The same messages go to Webim's Bot API (v2) and into the body of a v1 answer.
Source: specs/webim.md sections 3.2.2 and 3.2.3.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import JsonValue

from broker.domain.dialogs import DialogResponse
from broker.domain.events import Form, Plain
from broker.errors import shorten
from workers.webim.sending.messages import (
    Action,
    Button,
    FileData,
    FileOperator,
    Keyboard,
    Message,
    Operator,
    label,
    read_action,
)
from workers.webim.sending.texts import split_text, words_of

BUTTONS_MAX = 50
"""Of one keyboard; Webim's own limit is unknown (D-11)."""
MESSAGES_MAX = 200
"""Of one answer: each is a call, and what comes after waits for it."""
BUTTON_ID_DIGITS = 16
OCTETS = "application/octet-stream"

_MEDIA_TYPES = mimetypes.MimeTypes()  # Python's own table, whatever the machine's files say

DropCode = Literal["unsupported_reply", "bad_reply", "bad_button", "bad_url", "bad_action", "too_many", "not_first"]
Reply: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A part that is not passed on: why, and which kind of thing it was; never what it said."""

    code: DropCode
    what: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages in their order, then the action; and what was left out."""

    messages: tuple[Message, ...] = ()
    action: Action | None = None
    dropped: tuple[Dropped, ...] = ()


@dataclass(slots=True)
class _Rendering:
    text_characters_max: int
    messages: list[Message] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, code: DropCode, what: str) -> None:
        self.dropped.append(Dropped(code, shorten(what, 40)))

    def say(self, text: JsonValue, what: str) -> None:
        if not isinstance(text, str):
            self.drop("bad_reply", what)
            return
        self.messages.extend(Operator(text=part) for part in split_text(text, self.text_characters_max))

    def url(self, url: JsonValue, what: str) -> str | None:
        """The address if it may be passed on: absolute, and of the web."""
        if isinstance(url, str) and is_web_address(url):
            return url
        self.drop("bad_url", what)
        return None

    def finished(self) -> Rendered:
        for late in self.actions[1:]:
            self.drop("not_first", late.type)
        if len(self.messages) > MESSAGES_MAX:
            self.drop("too_many", "message")
        first = self.actions[0] if self.actions else None
        return Rendered(tuple(self.messages[:MESSAGES_MAX]), first, tuple(self.dropped))


def render(response: DialogResponse, *, text_characters_max: int) -> Rendered:
    """The whole answer: what replies ask for comes before the actions, and the first redirect or close is final."""
    rendering = _Rendering(text_characters_max)
    for reply in response.replies:
        kind = reply.get("type")
        handle = _REPLIES.get(kind) if isinstance(kind, str) else None
        if handle is None:
            rendering.drop("unsupported_reply", kind if isinstance(kind, str) else "without a type")
        else:
            handle(rendering, reply)
    for asked in response.actions:
        action = read_action(asked)
        if action is None:
            kind = asked.get("type")
            rendering.drop("bad_action", kind if isinstance(kind, str) else "without a type")
        else:
            rendering.actions.append(action)
    return rendering.finished()


def render_plain(message: Plain | Form, *, text_characters_max: int) -> Rendered:
    """A ``webim_message`` as one text; html loses its tags, markdown is readable as it is, a form cannot be shown."""
    rendering = _Rendering(text_characters_max)
    if isinstance(message, Form):
        rendering.drop("unsupported_reply", message.type)
    else:
        rendering.say(words_of(message.value) if message.type == "html" else message.value, message.type)
    return rendering.finished()


def button_id(text: str) -> str:
    """The id of a button that was given none: the same for the same text, always."""
    return hashlib.sha256(text.encode()).hexdigest()[:BUTTON_ID_DIGITS]


def is_web_address(url: str) -> bool:
    """Whether it is an absolute http or https address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url


def _text(rendering: _Rendering, reply: Reply) -> None:
    rendering.say(reply.get("text"), "text")


def _buttons(rendering: _Rendering, reply: Reply) -> None:
    _keyboard(rendering, _rows(rendering, reply))


def _inline_buttons(rendering: _Rendering, reply: Reply) -> None:
    rest: list[list[Reply]] = []
    for row in _rows(rendering, reply):
        rest.append([button for button in row if button.get("url") is None])
        for button in row:
            if button.get("url") is None or (url := rendering.url(button["url"], "inlineButtons")) is None:
                continue
            text = label(button.get("text"))
            rendering.say(url if text is None else f"{text}: {url}", "inlineButtons")
    _keyboard(rendering, rest)


def _image(rendering: _Rendering, reply: Reply) -> None:
    url = rendering.url(reply.get("imageUrl"), "image")
    if url is not None:
        name = urlsplit(url).path.rpartition("/")[2] or "image"
        media_type, encoding = _MEDIA_TYPES.guess_type(name, strict=False)
        data = FileData(url=url, name=name, media_type=OCTETS if encoding else media_type or OCTETS)
        rendering.messages.append(FileOperator(data=data))
    if reply.get("text") is not None:
        rendering.say(reply["text"], "image")


def _link(rendering: _Rendering, reply: Reply) -> None:
    url = rendering.url(reply.get("url"), "link")
    if url is not None:
        rendering.messages.append(Operator(text=url))


def _switch(rendering: _Rendering, reply: Reply) -> None:
    key = label(reply.get("destination"))
    to_department = Action(type="redirect_to_department", department_key=key)
    rendering.actions.append(Action(type="redirect_to_queue") if key is None else to_department)


_REPLIES: Mapping[str, Callable[[_Rendering, Reply], None]] = {
    "text": _text,
    "buttons": _buttons,
    "inlineButtons": _inline_buttons,
    "image": _image,
    "link": _link,
    "switch": _switch,
}


def _rows(rendering: _Rendering, reply: Reply) -> list[list[Reply]]:
    """The buttons in rows, whichever of the two forms they came in; what is no button is left out."""
    given = reply.get("buttons")
    if not isinstance(given, list):
        rendering.drop("bad_reply", str(reply["type"]))
        return []
    rows: list[list[Reply]] = []
    for element in given:
        row = element if isinstance(element, list) else [element]
        buttons = [button for button in row if isinstance(button, dict)]
        if len(buttons) < len(row):
            rendering.drop("bad_button", "no object")
        rows.append(list[Reply](buttons))
    return rows


def _keyboard(rendering: _Rendering, rows: Iterable[Sequence[Reply]]) -> None:
    kept: list[list[Button]] = []
    left = BUTTONS_MAX
    for row in rows:
        buttons = [button for each in row if (button := _button(rendering, each)) is not None]
        if len(buttons) > left:
            rendering.drop("too_many", "button")
        if shown := buttons[:left]:
            kept.append(shown)
            left -= len(shown)
    if kept:
        rendering.messages.append(Keyboard(buttons=kept))


def _button(rendering: _Rendering, button: Reply) -> Button | None:
    text = label(button.get("text"))
    if text is None:
        rendering.drop("bad_button", "without a text")
        return None
    given = button.get("id")
    known = str(given) if isinstance(given, int) and not isinstance(given, bool) else label(given)
    return Button(id=known or button_id(text), text=text)
