"""Pure: what is remembered of one conversation while the desk has it, a *case*.

Source: specs/giosg.md sections 5 and 6.1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from broker.domain.events import UUID, Label, StubName, Text
from broker.domain.wire import Wire

Stage = Literal[
    "none", "starting", "held", "open_silent", "waiting", "active", "unattended", "ended", "removed", "broken"
]
"""The states of specs/giosg.md section 5."""
EndReason = Literal["ended_by_giosg", "ended_by_visitor", "removed", "identity_lost", "left", "released"]

OPEN: frozenset[Stage] = frozenset(("open_silent", "waiting", "active", "unattended"))
"""There is a chat that messages may go to."""
PAST_CHATS_MAX = 20
SENT_MAX = 200
SEEN_MAX = 500
TEXTS_MAX = 200
ECHOES_MAX = 50
TOLD_MAX = 50

Id = Annotated[str, StringConstraints(min_length=1, max_length=300)]
"""An id of giosg's, checked before it came here: ``[A-Za-z0-9_-]{1,256}``, perhaps with a mark of ours before it."""


class Starting(Wire):
    """An opening that is under way. ``cause``: the run that began it; ``asked``: C6 may have been sent."""

    cause: int
    since_ms: int
    asked: bool = False


class Sending(Wire):
    """A part of a text that may have been sent: of the run with that sequence, from 0, first tried then."""

    cause: int
    part: int
    since_ms: int


class PastChat(Wire):
    """A chat that the case had before."""

    id: Id
    opened_at_ms: int
    ended_at_ms: int
    reason: EndReason


class Chat(Wire):
    """The giosg chat that the case has now, or had last.

    ``created_at``, ``updated_at``, ``last_message_at`` are giosg's own moments, ISO 8601, and its clock's.
    ``last_message_at``: of the last message that is known to be one of our sends. ``message_count`` and
    ``looked_at``: giosg's count, and its ``updated_at``, when all messages were looked at last. The ``_ms`` are our
    clock's. ``turns`` counts the changes of the case's stage while it has the chat, so that each is told once.
    ``heard_until``: what is not younger, and not in ``seen`` any more, was seen before; ``heard_half`` becomes it when
    ``seen`` is full the next time, ``heard_last`` then becomes that.
    """

    id: Id
    opened_at_ms: int
    created_at: str | None = None
    updated_at: str | None = None
    last_message_at: str | None = None
    message_count: int | None = None
    looked_at: str | None = None
    waiting_since_ms: int | None = None
    visitor_wrote: bool = False
    answered: bool = False
    turns: int = 0
    heard_until: str | None = None
    heard_half: str | None = None
    heard_last: str | None = None


class Case(Wire):
    """Value in bucket CHATS_giosg, key ``case.<session>``: one conversation at one giosg connection.

    ``conversation``: the prefix of its subjects. ``visitor_key``: what its visitor is known by, see identities.py.
    ``giver``: the stub that had the conversation before the desk, None where a profile led here, and for how many
    hours. ``epoch`` and ``link_until_ms``: the desk's own link. ``done``: the sequence, in DELIVERIES, of the last run
    that was carried out. ``sent``: which of giosg's messages an event of the visitor's became, by the event's
    sequence in the log. ``echoes``: visitor messages that giosg told of and that no send is known to have made.
    ``seen``: messages that need not be looked at again: delivered, or none to deliver. ``texts``: hashes of delivered
    texts by message, to know an edited one. ``told``: notices that the visitor has had. ``closing_since_ms``: the
    visitor, or the link's end, closes the chat, and ``closing_as`` is what its end will be called. ``held_since_ms``:
    since when a text waits for the room to open.
    """

    org: UUID
    connection: Label
    conversation: Label | Text
    session: UUID
    visitor_key: Label
    stage: Stage = "none"
    giver: StubName | None = None
    giver_hours: float | None = None
    epoch: int = 0
    link_until_ms: int = 0
    chat: Chat | None = None
    past: list[PastChat] = Field(default_factory=list)
    starting: Starting | None = None
    sending: Sending | None = None
    done: int = 0
    sent: dict[str, list[Id]] = Field(default_factory=dict)
    echoes: list[Id] = Field(default_factory=list)
    seen: list[Id] = Field(default_factory=list)
    texts: dict[str, str] = Field(default_factory=dict)
    told: list[Id] = Field(default_factory=list)
    held_since_ms: int | None = None
    closing_since_ms: int | None = None
    closing_as: EndReason | None = None
    ended_at_ms: int | None = None
    end_reason: EndReason | None = None
    last_at_ms: int = 0
    """When the visitor was last heard of, our clock."""

    @property
    def is_open(self) -> bool:
        """Whether there is a chat that messages may go to."""
        return self.stage in OPEN

    @property
    def needs_watching(self) -> bool:
        """Whether the clock has to look after it: a chat that is open, or one that may have been made."""
        return self.is_open or self.starting is not None


def chat_ids(case: Case) -> frozenset[str]:
    """Every chat that the case has or had."""
    return frozenset((*(past.id for past in case.past), *(() if case.chat is None else (case.chat.id,))))
