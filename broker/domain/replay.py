"""The log of one conversation, folded once more: what the linker decided on each event, as far as the log still tells.

The log is the truth and the fold is pure, so who asks later comes to the same decisions. Registrations and the chat's
profile are not in the log: they count as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from broker.domain import headers as names
from broker.domain.events import Linked, Unlinked
from broker.domain.grammar import parse_conversation
from broker.domain.ids import ActionName, Stub
from broker.domain.incoming import Incoming, read_event, sender_of, thread_of
from broker.domain.registrations import mechanism_of
from broker.domain.registry import Occasion, Taker
from broker.domain.session import DeliverToTaker, Effect, Limits, Link, LinkSet, State, apply
from broker.domain.subjects import LINK_FACTS, Conversation, Kind
from broker.domain.wire import Body, validate
from broker.errors import BackboneError, GrammarError

CLOCKS_DIFFER_MS = 5_000
"""An adapter tells by its own clock when a session began."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Why an event was not taken: the code and the sentence of its dead letter."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event as it is stored; ``body`` None, with the reason in ``undecoded``, where it cannot be decoded."""

    sequence: int
    at_ms: int
    subject: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    undecoded: Unread | None = None

    @property
    def kind(self) -> Kind | None:
        """What its subject says, None where that is outside the grammar."""
        try:
            return parse_conversation(self.subject).kind
        except GrammarError:
            return None

    @property
    def conversation(self) -> Conversation | None:
        """Where it happened; None where neither its subject nor its body tells."""
        try:
            subject = parse_conversation(self.subject)
        except GrammarError:
            return None
        if subject.conversation is not None:
            return subject.conversation
        incoming = self.incoming()
        return incoming.conversation if isinstance(incoming, Incoming) else None

    @property
    def is_folded(self) -> bool:
        """Whether it is for the fold; facts and receipts tell of the past."""
        kind = self.kind
        return kind not in LINK_FACTS and kind is not Kind.RECEIPT

    def incoming(self) -> Incoming | Unread:
        """The event as the linker reads it, or why it cannot."""
        if self.undecoded is not None:
            return self.undecoded
        body = self.body or {}
        try:
            sender, thread = sender_of(body, self.headers), thread_of(body, self.headers)
            incoming = read_event(parse_conversation(self.subject), body, sender, thread)
            mechanism = self.headers.get(names.MECHANISM)
            return incoming if mechanism is None else incoming._replace(emitted=mechanism_of(mechanism))
        except BackboneError as error:
            return Unread(error.code, str(error))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the linker goes by beside the log, as it is now; ``known_since_ms``: since when the session is known."""

    fallback: Callable[[Incoming], Stub | None]
    takers: Callable[[Kind, Occasion], tuple[Taker, ...]]
    limits: Limits = field(default_factory=Limits)
    known_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """One event, the state before and after it, and what was to be done."""

    event: LogEvent
    incoming: Incoming
    before: State
    effects: tuple[Effect, ...]
    after: State


def replay(events: Iterable[LogEvent], start: State, rules: Rules) -> list[Folded]:
    """Fold them in order; what the linker passes over or refuses is left out."""
    found: list[Folded] = []
    state, events = start, tuple(events)
    closed = _closed_at_once(events)
    for event in events:
        incoming = event.incoming() if event.is_folded else None
        if not isinstance(incoming, Incoming) or not _admitted(event, incoming, rules, first=not found):
            continue
        occasion = Occasion(event.sequence, event.at_ms, incoming.emitted)
        if incoming.subject.kind is Kind.INITIALIZE:
            takers = rules.takers(Kind.INITIALIZE, occasion)
            effects: tuple[Effect, ...] = tuple(DeliverToTaker(taker, Kind.INITIALIZE) for taker in takers)
            found.append(Folded(event, incoming, state, effects, state))
            continue
        change = incoming.event(rules.fallback(incoming), partial(_takers, rules, occasion))
        if isinstance(change, LinkSet) and event.sequence in closed:
            change = replace(change, closed=True)
        after, effects = apply(state, change, sequence=event.sequence, at_ms=event.at_ms, limits=rules.limits)
        found.append(Folded(event, incoming, state, effects, after))
        state = after
    return found


def start_of(events: Sequence[LogEvent], stored: State | None) -> State:
    """The state before the first event that the log still holds, where the age limit has taken older ones.

    A link that was set before is known by the first fact that tells of it, else by the stored state: where that still
    has a link of an older epoch, no other was set since.
    """
    if not events:
        return State()
    first = events[0].sequence
    link = next((found for event in events if (found := _told_link(event)) is not None), None)
    if link is None and stored is not None:
        link = stored.link
    if link is None or link.epoch >= first:
        return State()
    return State(last_sequence=first - 1, link=link, opened=True)


def _closed_at_once(events: Sequence[LogEvent]) -> frozenset[int]:
    """The sets whose stub was closed already, which the log tells by the fact alone: no delete came in between."""
    deletes = [event.sequence for event in events if event.kind is Kind.DELETE]
    found = set()
    for event in events:
        fact = _ended_in(event) if event.kind is Kind.CANCELLED else None
        if fact is None or fact.reason != "closed":
            continue
        if not any(fact.epoch < sequence < event.sequence for sequence in deletes):
            found.add(fact.epoch)
    return frozenset(found)


def _ended_in(event: LogEvent) -> Unlinked | None:
    try:
        return None if event.body is None else validate(Unlinked, event.body, what="link fact")
    except BackboneError:
        return None


def _told_link(event: LogEvent) -> Link | None:
    """The link that a fact speaks of; what an end does not tell of it is left at its default."""
    kind = event.kind
    if kind not in LINK_FACTS or event.body is None:
        return None
    try:
        if kind is Kind.LINKED:
            fact = validate(Linked, event.body, what="linked")
            action = ActionName(fact.feedback_action)
            return Link(Stub.parse(fact.stub), action, fact.epoch, fact.expires_at_ms, fact.timeout_hours)
        ended = _ended_in(event)
        return None if ended is None else Link(Stub.parse(ended.stub), None, ended.epoch, ended.expires_at_ms, 0.0)
    except BackboneError:
        return None


def _takers(rules: Rules, occasion: Occasion, kind: Kind) -> tuple[Taker, ...]:
    return rules.takers(kind, occasion)


def _admitted(event: LogEvent, incoming: Incoming, rules: Rules, *, first: bool) -> bool:
    """Whether the session was known: a stub that speaks before any visitor does is refused."""
    told = incoming.may_begin or incoming.subject.kind is Kind.TIMEOUT
    if told or not first or rules.known_since_ms is None:
        return True
    return event.at_ms + CLOCKS_DIFFER_MS >= rules.known_since_ms
