"""The words of the fold: what it remembers of a session, what happens to it, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from broker.domain.ids import ActionName, Stub
from broker.domain.registry import Taker
from broker.domain.subjects import Kind, TimerKind

MS_PER_HOUR = 3_600_000

EndReason = Literal["timeout", "deleted", "ended", "closed"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that the fold keeps; both hold bounds are settings of the linker."""

    timeout_hours_max: float = 720.0
    held_max: int = 128
    hold_ms_max: int = 60_000


@dataclass(frozen=True, slots=True)
class Link:
    """Who owns the conversation until when; ``epoch`` is the sequence of the event that set it."""

    stub: Stub
    feedback_action: ActionName | None
    epoch: int
    expires_at_ms: int
    timeout_hours: float


class State(NamedTuple):
    """What is remembered of a session.

    ``opened``: a message came since the session began or its last link ended. ``offered``: somebody took that first
    message and has not answered with a link yet. ``held``: sequences of the messages that wait for that link.
    """

    last_sequence: int = 0
    link: Link | None = None
    opened: bool = False
    offered: bool = False
    held: tuple[int, ...] = ()
    held_until_ms: int = 0


class VisitorEvent(NamedTuple):
    """Anything a visitor did.

    ``fallback`` is the stub that the profile's static map names. ``takers`` answers who is registered for the event
    under the kind that the fold judged. ``parent`` wrote what the event replies to, on channels that have threads.
    """

    kind: Kind
    fallback: Stub | None
    takers: Callable[[Kind], tuple[Taker, ...]]
    parent: Stub | None = None


@dataclass(frozen=True, slots=True)
class LinkSet:
    """A stub asks for the conversation; ``closed``: it is closed already, so the link ends as it begins."""

    stub: Stub
    hours: float
    feedback_action: ActionName | None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class LinkDeleted:
    """The link is to end, whoever owns it; ``only_of``: if that stub owns it, since it is closed."""

    only_of: Stub | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The expiry worker says that a timer's time has come."""

    timer: TimerKind
    epoch: int


@dataclass(frozen=True, slots=True)
class NoChange:
    """An event that leaves the link alone, such as a notification without a stubsession."""


Event: TypeAlias = VisitorEvent | LinkSet | LinkDeleted | TimerFired | NoChange


class DeliverToOwner(NamedTuple):
    """Run the feedback action (None: the channel's default) on the stub with the message of that sequence."""

    stub: Stub
    feedback_action: ActionName | None
    sequence: int


@dataclass(frozen=True, slots=True)
class DeliverToTaker:
    """Run a registration's action with the current event."""

    taker: Taker
    kind: Kind


@dataclass(frozen=True, slots=True)
class AnnounceLinked:
    """Tell that the link is set; ``clamped``: for less than was asked for."""

    link: Link
    replaces: Stub | None
    clamped: bool


@dataclass(frozen=True, slots=True)
class AnnounceEnded:
    """Tell that the link is over."""

    link: Link
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Arm:
    """Have the server remind us; replaces the conversation's timer of this kind."""

    timer: TimerKind
    epoch: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Disarm:
    """The timer of this kind has nothing left to remind of."""

    timer: TimerKind


@dataclass(frozen=True, slots=True)
class SetAside:
    """Dead-letter the event of that sequence."""

    sequence: int
    code: Literal["unrouted", "unanswered"]
    detail: str


Effect: TypeAlias = DeliverToOwner | DeliverToTaker | AnnounceLinked | AnnounceEnded | Arm | Disarm | SetAside
