"""The fold over one session's log: (state, event) -> (state, effects). Nothing else decides who owns a conversation.

Time is the event's own server timestamp, so any worker that replays the log comes to the same state.
Source: design.md section 4; specs/stubber-webchat.md sections 5.2, 6.2 and 9.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from broker.domain.ids import ActionName, Stub
from broker.domain.registrations import Taker
from broker.domain.subjects import Kind, TimerKind

MS_PER_HOUR = 3_600_000

EndReason = Literal["timeout", "deleted", "ended"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that the fold keeps; both hold bounds are settings of the linker."""

    timeout_hours_max: float = 720.0
    held_max: int = 64
    hold_ms_max: int = 60_000


@dataclass(frozen=True, slots=True)
class Link:
    """Who owns the conversation until when; ``epoch`` is the sequence of the event that set it."""

    stub: Stub
    feedback_action: ActionName | None
    epoch: int
    expires_at_ms: int
    timeout_hours: float


@dataclass(frozen=True, slots=True)
class State:
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


@dataclass(frozen=True, slots=True)
class VisitorEvent:
    """Anything a visitor did. ``takers`` answers who is registered for it under the kind that the fold judged."""

    kind: Kind
    fallback: Stub | None
    takers: Callable[[Kind], tuple[Taker, ...]]


@dataclass(frozen=True, slots=True)
class LinkSet:
    """A stub asks for the conversation."""

    stub: Stub
    hours: float
    feedback_action: ActionName | None


@dataclass(frozen=True, slots=True)
class LinkDeleted:
    """The link is to end; nobody needs to own it to say so."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The expiry worker says that a timer's time has come."""

    timer: TimerKind
    epoch: int


@dataclass(frozen=True, slots=True)
class NoChange:
    """An event that leaves the link alone, such as a notification without a stubsession."""


Event: TypeAlias = VisitorEvent | LinkSet | LinkDeleted | TimerFired | NoChange


@dataclass(frozen=True, slots=True)
class DeliverToOwner:
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


@dataclass(slots=True)
class _Fold:
    """One application in the making."""

    state: State
    sequence: int
    at_ms: int
    limits: Limits
    effects: list[Effect] = field(default_factory=list)

    def end_link(self, reason: EndReason) -> None:
        """The link is over: what comes next opens the conversation anew."""
        link = self.state.link
        if link is None:
            return
        self.effects.append(AnnounceEnded(link, reason))
        if reason != "timeout":
            self.effects.append(Disarm("link"))
        self.state = replace(self.state, link=None, opened=False)

    def let_time_pass(self) -> None:
        """Whatever ran out before this event ended before it, swept or not."""
        link = self.state.link
        if link is not None and self.at_ms >= link.expires_at_ms:
            self.end_link("timeout")
        if self.state.held and self.at_ms >= self.state.held_until_ms:
            self.give_up_held()

    def give_up_held(self) -> None:
        """Nobody answered in time."""
        detail = f"no stub set a link within {self.limits.hold_ms_max} ms of the first message"
        self.effects.extend(SetAside(sequence, "unanswered", detail) for sequence in self.state.held)
        self.state = replace(self.state, held=(), held_until_ms=0)

    def release_held(self, stub: Stub, feedback_action: ActionName | None) -> None:
        """What waited goes to whoever has the conversation now, in order and before anything newer."""
        if not self.state.held:
            return
        self.effects.extend(DeliverToOwner(stub, feedback_action, sequence) for sequence in self.state.held)
        self.effects.append(Disarm("hold"))
        self.state = replace(self.state, held=(), held_until_ms=0)

    def visitor(self, event: VisitorEvent) -> None:
        """Route: the live link, else the profile's stub, else who registered, else hold, else dead letter."""
        kind = self._judged(event.kind)
        link = self.state.link
        if link is not None:
            self.effects.append(DeliverToOwner(link.stub, link.feedback_action, self.sequence))
        elif event.fallback is not None and kind is not Kind.INITIALIZE:
            self.release_held(event.fallback, None)
            self.effects.append(DeliverToOwner(event.fallback, None, self.sequence))
        else:
            self._offer(kind, event.takers(kind))
        if kind is Kind.ENDED:
            self.end_link("ended")

    def _judged(self, kind: Kind) -> Kind:
        """First or later is decided here, whatever the subject said."""
        if kind not in (Kind.FIRSTMESSAGE, Kind.MESSAGE):
            return kind
        judged = Kind.MESSAGE if self.state.opened else Kind.FIRSTMESSAGE
        self.state = replace(self.state, opened=True)
        return judged

    def _offer(self, kind: Kind, takers: tuple[Taker, ...]) -> None:
        self.effects.extend(DeliverToTaker(taker, kind) for taker in takers)
        if takers:
            self.state = replace(self.state, offered=self.state.offered or kind is Kind.FIRSTMESSAGE)
        elif kind in (Kind.INITIALIZE, Kind.ENDED):
            return  # news for whoever wants it, nothing that waits for an answer
        elif self.state.offered:
            self._hold()
        else:
            self.effects.append(SetAside(self.sequence, "unrouted", f"nobody is linked or registered for {kind}"))

    def _hold(self) -> None:
        state = self.state
        if len(state.held) >= self.limits.held_max:
            detail = f"{self.limits.held_max} messages wait for an answer already"
            self.effects.append(SetAside(self.sequence, "unanswered", detail))
            return
        until_ms = state.held_until_ms if state.held else self.at_ms + self.limits.hold_ms_max
        if not state.held:
            self.effects.append(Arm("hold", self.sequence, until_ms))
        self.state = replace(state, held=(*state.held, self.sequence), held_until_ms=until_ms)

    def set_link(self, event: LinkSet) -> None:
        """A set always writes the whole link; what was held goes to its owner, in order."""
        before = self.state.link
        hours = min(event.hours, self.limits.timeout_hours_max)
        expires_at_ms = self.at_ms + max(1, round(hours * MS_PER_HOUR))
        link = Link(event.stub, event.feedback_action, self.sequence, expires_at_ms, hours)
        replaced = before.stub if before is not None and before.stub != link.stub else None
        # The timer is armed lazily: one that fires early finds the later deadline and arms again.
        if before is None or expires_at_ms < before.expires_at_ms:
            self.effects.append(Arm("link", link.epoch, expires_at_ms))
        self.effects.append(AnnounceLinked(link, replaced, clamped=hours < event.hours))
        self.release_held(link.stub, link.feedback_action)
        self.state = replace(self.state, link=link, offered=False)

    def timer_fired(self, event: TimerFired) -> None:
        """Time has been let pass already; a firing that came too early, or for an older epoch, only arms again.

        The server's firing may have wiped a newer schedule of the same conversation, see nats-notes.md section 2.3.
        """
        link = self.state.link
        if event.timer == "link" and link is not None:
            self.effects.append(Arm("link", link.epoch, link.expires_at_ms))
        if event.timer == "hold" and self.state.held:
            self.effects.append(Arm("hold", self.state.held[0], self.state.held_until_ms))


def apply(state: State, event: Event, *, sequence: int, at_ms: int, limits: Limits) -> tuple[State, tuple[Effect, ...]]:
    """Apply the event stored as ``sequence`` at ``at_ms`` (the server's clock, Unix, UTC).

    A sequence that was applied before changes nothing and has no effects.
    """
    if sequence <= state.last_sequence:
        return state, ()
    fold = _Fold(state, sequence, at_ms, limits)
    fold.let_time_pass()
    match event:
        case VisitorEvent():
            fold.visitor(event)
        case LinkSet():
            fold.set_link(event)
        case LinkDeleted():
            fold.end_link("deleted")
        case TimerFired():
            fold.timer_fired(event)
        case NoChange():
            pass
    return replace(fold.state, last_sequence=sequence), tuple(fold.effects)
