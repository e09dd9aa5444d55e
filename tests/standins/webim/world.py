"""What the simulated account holds: chats with their messages, files, and everything that was observed."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from tests.standins.webim.configuration import Configuration, Operator

Body = dict[str, Any]

BOT = "bot"
QUEUE = "queue"
CLOSED = "closed"

_SEED = uuid.UUID("5ca1ab1e-0000-4000-8000-000000000000")
VISITOR_KINDS = ("visitor", "keyboard_response", "file_visitor")


@dataclass(slots=True)
class Message:
    """One entry of a chat; ``author`` is visitor, bot, operator or system, ``operator_id`` only an operator's."""

    id: str
    kind: str
    author: str
    created_at_us: int
    content: Body
    operator_id: int | None = None

    def transcript(self) -> Body:
        """As the control interface shows it."""
        shown = {"id": self.id, "kind": self.kind, "author": self.author, "created_at": moment(self.created_at_us)}
        return {**shown, "operator_id": self.operator_id, **self.content}

    def delivered(self, *, with_id: bool) -> Body:
        """As it stands in an event for the bot."""
        head = {"id": self.id, "kind": self.kind} if with_id else {"kind": self.kind}
        return {**head, **self.content}

    def stored(self, text_key: str) -> Body:
        """As the Stored Data API tells it."""
        content = {text_key if key == "text" else key: value for key, value in self.content.items()}
        told: Body = {"id": self.id, "kind": self.kind, "created_at": moment(self.created_at_us), **content}
        return told if self.operator_id is None else {**told, "operator_id": self.operator_id}


@dataclass(slots=True)
class Chat:
    """One chat; ``owner`` is bot, queue, closed or operator:<id>. ``changed_at_us`` grows with each change.

    ``number``: how many there were before it.
    """

    id: int | str
    number: int
    created_at_us: int
    visitor: Body | None = None
    location: Any = None
    owner: str = BOT
    closed_owner: str = BOT
    department: str | None = None
    category: str | None = None
    sub_category: str | None = None
    messages: list[Message] = field(default_factory=list)
    changed_at_us: int = 0
    closed_at_us: int | None = None

    @property
    def operator_id(self) -> int | None:
        """The operator who has it, or had it when it was closed; None if it is or was nobody's."""
        kind, _, number = (self.closed_owner if self.owner == CLOSED else self.owner).partition(":")
        return int(number) if kind == "operator" else None

    def transcript(self) -> Body:
        """As the control interface shows it."""
        return {
            "id": self.id,
            "owner": self.owner,
            "department": self.department,
            "category": self.category,
            "sub_category": self.sub_category,
            "visitor": self.visitor,
            "location": self.location,
            "messages": [message.transcript() for message in self.messages],
        }


@dataclass(slots=True)
class World:
    """The whole state; a reset makes a new one."""

    configuration: Configuration = field(default_factory=Configuration)
    chats: dict[str, Chat] = field(default_factory=dict)
    files: dict[str, Body] = field(default_factory=dict)
    calls: list[Body] = field(default_factory=list)
    deliveries: list[Body] = field(default_factory=list)
    violations: list[Body] = field(default_factory=list)
    port: int = 0
    _ids: int = 0
    _opened: int = 0
    _last_us: int = 0

    def begin_anew(self) -> None:
        """As after the start: the records and the state are gone, ids begin at the first again."""
        fresh = World(port=self.port)
        for one in fields(self):
            setattr(self, one.name, getattr(fresh, one.name))

    def now_us(self) -> int:
        """Our clock in microseconds, as the test has set it; no moment comes twice."""
        shown = time.time_ns() // 1000 + self.configuration.clock_offset_ms * 1000
        self._last_us = max(shown, self._last_us + 1)
        return self._last_us

    def new_id(self) -> str:
        """An id as Webim's look, the same ones in every run."""
        self._ids += 1
        return uuid.uuid5(_SEED, f"id-{self._ids}").hex

    def open_chat(self, visitor: Body | None, location: Any) -> Chat:
        """A new chat that the bot has."""
        place, self._opened = self._opened, self._opened + 1
        number = self.configuration.first_chat_id + place
        chat_id = number if self.configuration.has_integer_chat_ids else str(uuid.uuid5(_SEED, f"chat-{number}"))
        chat = Chat(chat_id, place, self.now_us(), visitor, location)
        self.chats[str(chat_id)] = chat
        return chat

    def add(self, chat: Chat, kind: str, author: str, content: Body, operator_id: int | None = None) -> Message:
        """Another message in a chat."""
        message = Message(self.new_id(), kind, author, self.now_us(), content, operator_id)
        chat.messages.append(message)
        self.touch(chat)
        return message

    def touch(self, chat: Chat) -> None:
        """Something about the chat has changed."""
        chat.changed_at_us = self.now_us()

    def close(self, chat: Chat, by: str) -> None:
        """The chat is over; Webim says so in it."""
        self.add(chat, "info", "system", {"text": f"Chat closed by {by}"})
        chat.owner, chat.closed_owner = CLOSED, chat.owner
        chat.closed_at_us = chat.changed_at_us

    def online_operator(self, operator_id: int | None = None) -> Operator | None:
        """That operator if there, or any who is."""
        online = [one for one in self.configuration.operators if one.online]
        return next((one for one in online if operator_id in (None, one.id)), None)

    def has_online_department(self, key: str) -> bool:
        """Whether a department of that key works now."""
        return any(one.online and one.key == key for one in self.configuration.departments)


def moment(at_us: int) -> str:
    """ISO 8601, UTC, to the microsecond."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
