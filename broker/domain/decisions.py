"""What the linker decided on one event and why, in words; from the replayed fold alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from broker.domain.deliveries import default_feedback_action
from broker.domain.ids import ActionName, Stub
from broker.domain.replay import Folded
from broker.domain.session import (
    AnnounceEnded,
    AnnounceLinked,
    Arm,
    DeliverToOwner,
    DeliverToTaker,
    Link,
    LinkDeleted,
    LinkSet,
    SetAside,
    TimerFired,
)
from broker.domain.subjects import Kind
from broker.domain.wire import Body

Word = Literal[
    "delivered",
    "held",
    "dead_lettered",
    "unheard",
    "link_set",
    "link_deleted",
    "link_expired",
    "unchanged",
    "refused",
    "not_folded",
    "unknown",
]

_MS_PER_S, _MS_PER_MIN, _MS_PER_HOUR, _MS_PER_DAY = 1_000, 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened; ``at_ms`` None where no clock has told."""

    what: str
    text: str
    at_ms: int | None = None
    facts: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A run that the decision asks for; ``by``: ``thread``, ``link``, ``profile``, or a registration's uuid.

    ``by_turns``: it is one of several, and whose turn it was only the run shows.
    """

    stub: Stub
    action: ActionName
    by: str
    by_turns: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why. ``at_ms`` is the time of the event that decided it: a held message waits for one.

    ``link``: the link that counted, or that was set or ended.
    """

    word: Word
    why: str
    at_ms: int | None
    link: Link | None = None
    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()


def decide(folded: Sequence[Folded], sequence: int) -> Decision | None:
    """The decision on the event of that sequence; None if it is not among them."""
    for place, found in enumerate(folded):
        if found.event.sequence == sequence:
            match found.incoming.change:
                case None:
                    return _completed(found, _on_visitor(found, folded[place + 1 :]))
                case LinkSet():
                    return _on_set(found)
                case LinkDeleted():
                    return _on_delete(found)
                case TimerFired() as fired:
                    return _on_timer(found, fired)
                case _:
                    why = "a notification without 'stubsession' leaves the link as it is"
                    return Decision("unchanged", why, found.event.at_ms, _alive(found), steps=_lapses(found))
    return None


def judged_kind(found: Folded) -> Kind:
    """First or later as the fold judges it, whatever the subject says."""
    kind = found.incoming.subject.kind
    if kind not in (Kind.FIRSTMESSAGE, Kind.MESSAGE):
        return kind
    return Kind.MESSAGE if found.before.opened and not _lapses(found) else Kind.FIRSTMESSAGE


def span_text(span_ms: int) -> str:
    """A time span for people, in the two units that say most."""
    ms = abs(span_ms)
    if ms < _MS_PER_S:
        return f"{ms} ms"
    if ms < _MS_PER_MIN:
        return f"{ms / _MS_PER_S:.1f} s"
    if ms < _MS_PER_HOUR:
        return f"{ms // _MS_PER_MIN} min {ms % _MS_PER_MIN // _MS_PER_S} s"
    if ms < _MS_PER_DAY:
        return f"{ms // _MS_PER_HOUR} h {ms % _MS_PER_HOUR // _MS_PER_MIN} min"
    return f"{ms // _MS_PER_DAY} d {ms % _MS_PER_DAY // _MS_PER_HOUR} h"


def _on_visitor(found: Folded, later: Sequence[Folded]) -> Decision:
    event, link = found.event, _alive(found)
    before = _lapses(found)
    for effect in found.effects:
        match effect:
            case DeliverToOwner(sequence=event.sequence):
                return _to_owner(found, effect)
            case SetAside(sequence=event.sequence):
                why = f"{effect.detail} (as registered now)" if effect.code == "unrouted" else effect.detail
                return Decision("dead_lettered", why, event.at_ms, link, steps=before)
            case _:
                pass
    takers = [effect for effect in found.effects if isinstance(effect, DeliverToTaker)]
    if takers:
        return _to_takers(found, takers)
    if event.sequence in found.after.held:
        return _held(found, later)
    why = f"no link was alive and nobody is registered (as registered now) for {judged_kind(found)}"
    return Decision("unheard", f"{why}, which waits for no answer", event.at_ms, steps=before)


def _completed(found: Folded, decision: Decision) -> Decision:
    """What is told of a visitor's event besides: the kind where the subject says another, and the session's end."""
    steps, at_ms = decision.steps, found.event.at_ms
    said, judged = found.incoming.subject.kind, judged_kind(found)
    if judged is not said:
        why = (
            "a message came before it" if judged is Kind.MESSAGE else "none came before it, or the last link had ended"
        )
        steps = (Step("judged", f"{judged}, though its subject says {said}: {why}", at_ms), *steps)
    if (ended := _ended(found, "ended")) is not None:
        text = f"the link of epoch {ended.epoch} to {ended.stub}: the session is over"
        steps = (*steps, Step("ended", text, at_ms))
    return replace(decision, steps=steps)


def _to_owner(found: Folded, effect: DeliverToOwner) -> Decision:
    event, link = found.event, _alive(found)
    parent = found.incoming.thread.parent
    if parent is not None and str(effect.stub) == parent:
        why, by = f"it replies to a message of {parent}, whoever has the link", "thread"
    elif link is not None:
        left = span_text(link.expires_at_ms - event.at_ms)
        why, by = f"the link of epoch {link.epoch} to {link.stub} was alive, with {left} left", "link"
    else:
        why, by = f"no link was alive, and the chat's profile (as it is now) names {effect.stub}", "profile"
    return Decision("delivered", why, event.at_ms, link, (_target(found, effect, by),), _lapses(found))


def _to_takers(found: Folded, takers: list[DeliverToTaker]) -> Decision:
    event, kind = found.event, judged_kind(found)
    targets, steps = [], [*_lapses(found)]
    for taker in (effect.taker for effect in takers):
        registration = taker.registration
        turns = taker.mechanism == "rra"
        targets.append(Target(registration.stub, registration.action, registration.id, turns))
        used = "; this event used it up" if registration.used_by == event.sequence else ""
        more = "" if registration.keep else f", once{used}"
        more += " (or another one: they take turns)" if turns else ""
        where = f"registration {registration.id}, {taker.mechanism} '{taker.event}'"
        facts = {"registration": registration.id, "event": taker.event, "mechanism": taker.mechanism}
        text = f"{where}: {registration.action} on {registration.stub}{more}"
        steps.append(Step("matched", text, event.at_ms, facts))
    count = "one registration" if len(targets) == 1 else f"{len(targets)} registrations"
    why = f"no link was alive, and {count} (as registered now) took {kind}"
    return Decision("delivered", why, event.at_ms, None, tuple(targets), tuple(steps))


def _held(found: Folded, later: Sequence[Folded]) -> Decision:
    """Held until a link is set, or until nobody has answered in time; a later event of the session tells."""
    event = found.event
    until_ms = found.after.held_until_ms
    text = f"until somebody sets a link, {span_text(until_ms - event.at_ms)} at most"
    steps = [*_lapses(found), Step("held", text, event.at_ms, {"until_ms": until_ms})]
    waited = "the taker of the first message had not set a link yet, so it was held"
    for other in later:
        after = span_text(other.event.at_ms - event.at_ms)
        for effect in other.effects:
            match effect:
                case DeliverToOwner(sequence=event.sequence):
                    steps.append(Step("released", f"by event {other.event.sequence}", other.event.at_ms))
                    why = f"{waited}; event {other.event.sequence} gave the conversation to {effect.stub} {after} later"
                    target = _target(found, effect, "link")
                    return Decision("delivered", why, other.event.at_ms, other.after.link, (target,), tuple(steps))
                case SetAside(sequence=event.sequence):
                    steps.append(Step("given up", f"when event {other.event.sequence} came", other.event.at_ms))
                    return Decision(
                        "dead_lettered", f"{waited}; {effect.detail}", other.event.at_ms, None, (), tuple(steps)
                    )
                case _:
                    pass
    return Decision("held", f"{waited}, and waits still", None, None, (), tuple(steps))


def _on_set(found: Folded) -> Decision:
    told = next(effect for effect in found.effects if isinstance(effect, AnnounceLinked))
    link, at_ms, steps = told.link, found.event.at_ms, [*_lapses(found)]
    what = "notification" if found.incoming.subject.kind is Kind.NOTIFICATION else "manage_stubsession"
    why = f"the {what} asks for a link to {link.stub} for {link.timeout_hours:g} h"
    why += ", the most there is" if told.clamped else ""
    why += f", in place of {told.replaces}" if told.replaces is not None else ""
    if _ended(found, "closed") is not None:
        return Decision("link_deleted", f"{why}, but that stub is closed", at_ms, link, (), tuple(steps))
    armed = [effect for effect in found.effects if isinstance(effect, Arm) and effect.timer == "link"]
    steps += [Step("armed", "the timer of its deadline", at_ms, {"due_at_ms": arm.at_ms}) for arm in armed]
    if not armed:
        steps.append(Step("armed", "nothing new: the timer of the earlier deadline looks first", at_ms))
    released = [effect.sequence for effect in found.effects if isinstance(effect, DeliverToOwner)]
    if released:
        text = f"{len(released)} held, to {link.stub}: {', '.join(map(str, released))}"
        steps.append(Step("released", text, at_ms, {"sequences": released}))
    return Decision("link_set", why, at_ms, link, (), tuple(steps))


def _on_delete(found: Folded) -> Decision:
    at_ms, steps = found.event.at_ms, _lapses(found)
    closed = _ended(found, "closed")
    ended = closed or _ended(found, "deleted")
    if ended is None:
        why = "no link was alive" if (link := _alive(found)) is None else f"the link is to {link.stub}"
        return Decision("unchanged", f"{why}, so there was nothing to delete", at_ms, link, steps=steps)
    why = f"it ends the link of epoch {ended.epoch} to {ended.stub}{', which is closed' if closed else ''}"
    return Decision("link_deleted", why, at_ms, ended, (), steps)


def _on_timer(found: Folded, fired: TimerFired) -> Decision:
    at_ms, link = found.event.at_ms, found.before.link
    ended = _ended(found, "timeout")
    given_up = [effect.sequence for effect in found.effects if isinstance(effect, SetAside)]
    if ended is not None:
        why = f"the link of epoch {ended.epoch} to {ended.stub} had reached its deadline"
        return Decision("link_expired", why, at_ms, ended)
    if given_up:
        why = f"nobody set a link in time: held since, and now dead letters: {', '.join(map(str, given_up))}"
        return Decision("dead_lettered", why, at_ms, None)
    if fired.timer == "link" and link is not None:
        left = span_text(link.expires_at_ms - at_ms)
        why = f"the timer is of epoch {fired.epoch}; the link is of epoch {link.epoch} and has {left} left"
        return Decision("unchanged", f"{why}, so its timer is armed again", at_ms, link)
    what = "no link is left" if fired.timer == "link" else "nothing is held"
    return Decision("unchanged", f"{what}: what the timer was about had ended before", at_ms, link)


def _alive(found: Folded) -> Link | None:
    """The link that was alive when the event came."""
    link = found.before.link
    return link if link is not None and found.event.at_ms < link.expires_at_ms else None


def _ended(found: Folded, reason: str) -> Link | None:
    ends = (effect for effect in found.effects if isinstance(effect, AnnounceEnded) and effect.reason == reason)
    return next((effect.link for effect in ends), None)


def _lapses(found: Folded) -> tuple[Step, ...]:
    """The link that had run out before the event, if that had not been told yet."""
    link = _ended(found, "timeout")
    if link is None:
        return ()
    text = f"the link of epoch {link.epoch} to {link.stub}: {span_text(found.event.at_ms - link.expires_at_ms)} before"
    return (Step("ran out", text, link.expires_at_ms, {"epoch": link.epoch}),)


def _target(found: Folded, effect: DeliverToOwner, by: str) -> Target:
    action = effect.feedback_action or default_feedback_action(found.incoming.subject.path.channel)
    return Target(effect.stub, action, by)
