"""What a fired timer means: look at the link. A firing never means "expired" by itself.

Source: design.md section 4; nats-notes.md section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.domain.session import State
from broker.domain.subjects import TimerKind


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """The link, or what was held, is gone."""


@dataclass(frozen=True, slots=True)
class ArmAgain:
    """The deadline has moved on since the timer was armed."""

    epoch: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Due:
    """The time is up: tell the log."""

    epoch: int
    deadline_at_ms: int


def look(state: State | None, timer: TimerKind, *, fired_at_ms: int) -> NothingLeft | ArmAgain | Due:
    """Compare the state with the moment the server fired the timer (its own clock, as the fold's)."""
    deadline = None if state is None else _deadline(state, timer)
    if deadline is None:
        return NothingLeft()
    epoch, at_ms = deadline
    return Due(epoch, at_ms) if fired_at_ms >= at_ms else ArmAgain(epoch, at_ms)


def _deadline(state: State, timer: TimerKind) -> tuple[int, int] | None:
    """Epoch and moment of what the timer is about."""
    if timer == "hold":
        return (state.held[0], state.held_until_ms) if state.held else None
    return None if state.link is None else (state.link.epoch, state.link.expires_at_ms)
