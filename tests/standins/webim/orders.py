"""The bodies of the control calls."""

from __future__ import annotations

import base64
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tests.standins.webim.world import Body, Chat, World


class UnknownError(Exception):
    """The control call names something that is not there."""


class Order(BaseModel):
    """A misspelt member is an error, not a default."""

    model_config = ConfigDict(extra="forbid")


class Upload(Order):
    """A file that somebody sends."""

    name: str
    media_type: str = "text/plain"
    text: str = ""
    content_base64: str | None = None

    def stored_by(self, world: World) -> Body:
        """Keep it, and say where it is to be had."""
        content = self.text.encode() if self.content_base64 is None else base64.b64decode(self.content_base64)
        file_id = world.new_id()
        world.files[file_id] = {"content": content, "media_type": self.media_type}
        url = f"http://127.0.0.1:{world.port}/api/bot/v2/file/{file_id}"
        return {"id": file_id, "url": url, "name": self.name, "media_type": self.media_type, "size": len(content)}


class Button(Order):
    """A button as it is pressed."""

    id: str
    text: str


class ByVisitor(Order):
    """One of text, button and file. ``button``: a whole one, or the id of one that the bot has shown in this chat.

    ``deliver``: whether the bot is told; None: if it has the chat. ``extra`` goes into the event as it is.
    """

    text: str | None = None
    button: Button | str | None = None
    file: Upload | None = None
    deliver: bool | None = None
    wait: bool = True
    extra: Body = Field(default_factory=dict)


class OpenOrder(Order):
    """A new chat. ``visitor``: an id; {} with ``fields``; null: the event names none; absent: one is made up.

    ``messages`` absent: the event has no such member. Elements: a text, an order of the visitor's, or a message with
    ``kind`` as Webim has it, passed on as it is.
    """

    visitor: str | int | Body | None = None
    fields: dict[str, str] | None = None
    location: Any = None
    messages: list[str | ByVisitor | Body] | None = None
    wait: bool = True
    extra: Body = Field(default_factory=dict)

    def visitor_of(self, world: World) -> Body | None:
        """The visitor as the event tells of it."""
        if "visitor" in self.model_fields_set and self.visitor is None:
            return None
        found: Body = self.visitor if isinstance(self.visitor, dict) else {"id": self.visitor}
        if found.get("id") is None:
            found = {**found, "id": world.new_id()}
        return found if self.fields is None else {**found, "fields": self.fields}


class OperatorOrder(Order):
    """What an operator writes; ``operator_id`` None: whoever has the chat, else anyone who is there."""

    text: str = ""
    file: Upload | None = None
    operator_id: int | None = None


class CloseOrder(Order):
    """Who closes it."""

    by: str = "operator"


class RawOrder(Order):
    """Bytes for the endpoint."""

    method: str = "POST"
    path_suffix: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body_base64: str = ""


class ModeOrder(Order):
    """How events are delivered from now on; ``second``: when the second one of a duplicate comes."""

    mode: str
    second: Literal["next", "together", "late"] = "next"


def content_of(world: World, chat: Chat, words: ByVisitor) -> tuple[str, Body]:
    """The kind of a visitor's message, and what it holds.

    Raises:
        UnknownError: it presses a button that nobody has shown, or is nothing at all.
    """
    if words.file is not None:
        return "file_visitor", {"data": words.file.stored_by(world)}
    if words.button is not None:
        return "keyboard_response", {"data": _pressed(chat, words.button)}
    if words.text is None:
        raise UnknownError("a visitor's message is text, button or file")
    return "visitor", {"text": words.text}


def _pressed(chat: Chat, button: Button | str) -> Body:
    if isinstance(button, Button):
        return {"button": button.model_dump()}
    for message in reversed(chat.messages):
        for row in message.content.get("data", {}).get("buttons", []):
            for shown in row:
                if shown["id"] == button:
                    return {"button": shown, "request": {"messageId": message.id}}
    raise UnknownError(f"no button {button} was shown in this chat")
