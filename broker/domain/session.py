"""The fold over one session's log: (state, event) -> (state, effects). Nothing else decides who owns a conversation.

Time is the event's own server timestamp, so any worker that replays the log comes to the same state.
Source: design.md section 4; specs/stubber-webchat.md sections 5.2, 6.2 and 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.domain.ids import ActionName, Stub
from broker.domain.registry import Taker
from broker.domain.routing import Way, route
from broker.domain.steps import (
    MS_PER_HOUR,
    AnnounceEnded,
    AnnounceLinked,
    Arm,
    DeliverToOwner,
    DeliverToTaker,
    Disarm,
    Effect,
    EndReason,
    Event,
    Limits,
    Link,
    LinkDeleted,
    LinkSet,
    NoChange,
    SetAside,
    State,
    TimerFired,
    VisitorEvent,
)
from broker.domain.subjects import Kind

__all__ = [
    "MS_PER_HOUR",
    "AnnounceEnded",
    "AnnounceLinked",
    "Arm",
    "DeliverToOwner",
    "DeliverToTaker",
    "Disarm",
    "Effect",
    "EndReason",
    "Event",
    "Limits",
    "Link",
    "LinkDeleted",
    "LinkSet",
    "NoChange",
    "SetAside",
    "State",
    "TimerFired",
    "VisitorEvent",
    "apply",
]


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
        self.state = self.state._replace(link=None, opened=False)

    def let_time_pass(self) -> None:
        """Whatever ran out before this event ended before it, swept or not."""
        link = self.state.link
        if link is not None and self.at_ms >= link.expires_at_ms:
            self.end_link("timeout")
        if self.state.held and self.at_ms >= self.state.held_until_ms:
            self.give_up_held(f"no stub set a link within {self.limits.hold_ms_max} ms of the first message")

    def give_up_held(self, detail: str) -> None:
        """Nobody answers what waited."""
        self.effects.extend(SetAside(sequence, "unanswered", detail) for sequence in self.state.held)
        self.state = self.state._replace(held=(), held_until_ms=0)

    def release_held(self, stub: Stub, feedback_action: ActionName | None) -> None:
        """What waited goes to whoever has the conversation now, in order and before anything newer."""
        if not self.state.held:
            return
        self.effects.extend(DeliverToOwner(stub, feedback_action, sequence) for sequence in self.state.held)
        self.effects.append(Disarm("hold"))
        self.state = self.state._replace(held=(), held_until_ms=0)

    def visitor(self, event: VisitorEvent) -> None:
        """Deliver to the stub that the routing order names, else offer it to who registered, else hold or set aside."""
        kind = self._judged(event.kind)
        link = self.state.link
        named = event if kind is not Kind.INITIALIZE else event._replace(fallback=None, parent=None)
        place = route(parent=named.parent, owner=None if link is None else link.stub, mapped=named.fallback)
        if place is None:
            self._offer(kind, event.takers(kind))
        else:
            if place.way is Way.PROFILE:
                self.release_held(place.stub, None)
            action = link.feedback_action if link is not None and link.stub == place.stub else None
            self.effects.append(DeliverToOwner(place.stub, action, self.sequence))
        if kind is Kind.ENDED:
            self.end_link("ended")

    def _judged(self, kind: Kind) -> Kind:
        """First or later is decided here, whatever the subject said."""
        if kind not in (Kind.FIRSTMESSAGE, Kind.MESSAGE):
            return kind
        judged = Kind.MESSAGE if self.state.opened else Kind.FIRSTMESSAGE
        if not self.state.opened:
            self.state = self.state._replace(opened=True)
        return judged

    def _offer(self, kind: Kind, takers: tuple[Taker, ...]) -> None:
        self.effects.extend(DeliverToTaker(taker, kind) for taker in takers)
        if takers:
            self.state = self.state._replace(offered=self.state.offered or kind is Kind.FIRSTMESSAGE)
        elif kind in (Kind.INITIALIZE, Kind.ENDED):
            return  # news for whoever wants it, nothing that waits for an answer
        elif self.state.offered:
            self._hold()
        elif kind is Kind.NOTICE:
            return  # as above; only behind a first message it keeps its place
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
        self.state = state._replace(held=(*state.held, self.sequence), held_until_ms=until_ms)

    def set_link(self, event: LinkSet) -> None:
        """A set always writes the whole link; what was held goes to its owner, in order."""
        before = self.state.link
        hours = min(event.hours, self.limits.timeout_hours_max)
        expires_at_ms = self.at_ms + max(1, round(hours * MS_PER_HOUR))
        link = Link(event.stub, event.feedback_action, self.sequence, expires_at_ms, hours)
        replaced = before.stub if before is not None and before.stub != link.stub else None
        # The timer is armed lazily: one that fires early finds the later deadline and arms again.
        if not event.closed and (before is None or expires_at_ms < before.expires_at_ms):
            self.effects.append(Arm("link", link.epoch, expires_at_ms))
        self.effects.append(AnnounceLinked(link, replaced, clamped=hours < event.hours))
        if not event.closed:
            self.release_held(link.stub, link.feedback_action)
        self.state = self.state._replace(link=link, offered=False)
        if event.closed:
            self.end_link("closed")
            self._give_up_for_closed()

    def _give_up_for_closed(self) -> None:
        """What waited for the stub that took the first message waits no longer: that stub is closed."""
        if self.state.held:
            self.effects.append(Disarm("hold"))
            self.give_up_held("the stub that set the link is closed")

    def delete_link(self, event: LinkDeleted) -> None:
        """A delete that names a stub ends that stub's link alone."""
        link = self.state.link
        if event.only_of is None:
            self.end_link("deleted")
        elif link is not None and link.stub == event.only_of:
            self.end_link("closed")

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
            fold.delete_link(event)
        case TimerFired():
            fold.timer_fired(event)
        case NoChange():
            pass
    return fold.state._replace(last_sequence=sequence), tuple(fold.effects)
