"""What a run left behind, as plain records: the log, the runs, the dead letters, and what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GARBAGE = "garbage-"
"""How the message id of an event begins that nobody can take: the checker must not ask the product what garbage is."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the log. Members that its kind does not have are empty."""

    sequence: int
    at_ms: int
    id: str
    session: str
    chat: str
    kind: str
    stub: str = ""
    action: str = ""
    hours: float = 0.0
    epoch: int = 0
    deadline_ms: int = 0

    @property
    def garbage(self) -> bool:
        """Whether it was made to be refused."""
        return self.id.startswith(GARBAGE)


@dataclass(frozen=True, slots=True)
class Run:
    """One run for a stub; ``event`` is the sequence of what caused it, 0 where a stub did."""

    sequence: int
    session: str
    event: int
    stub: str
    action: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter about the message ``event`` of ``stream``."""

    stream: str
    event: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that the log has acknowledged; those of one session were sent one after another, by ``number``."""

    id: str
    session: str
    number: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the reference model has to know beside the log.

    ``takers``: stub and action by chat and kind, for what finds no link. ``service``: whose runs are answered by a
    program, each by one notification.
    """

    takers: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    service: str = ""
    default_action: str = "_update_from_webchat"
    hold_ms: int = 60_000
    held_max: int = 128


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that a run left behind. ``disturbed``: spans (from, to; Unix ms) in which lateness says nothing."""

    events: tuple[Event, ...]
    runs: tuple[Run, ...]
    letters: tuple[Letter, ...]
    sent: tuple[Sent, ...]
    read_at_ms: int
    disturbed: tuple[tuple[int, int], ...] = ()
