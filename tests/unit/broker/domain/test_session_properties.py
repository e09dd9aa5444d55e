"""The fold under any interleaving of events, with timers that fire as the server fires them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codec import decode, encode
from broker.domain.expiry import ArmAgain, Due, NothingLeft, look
from broker.domain.ids import ActionName, ChannelName, ChatName, OrgId, Stub
from broker.domain.registrations import Registration
from broker.domain.registry import Taker
from broker.domain.session import (
    AnnounceEnded,
    AnnounceLinked,
    Arm,
    DeliverToOwner,
    DeliverToTaker,
    Disarm,
    Effect,
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
    apply,
)
from broker.domain.stubsessions import StateRecord
from broker.domain.subjects import VISITOR_KINDS, ChatPath, Kind, TimerKind
from broker.domain.wire import dump, validate

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
PATH = ChatPath(ChannelName("webchat"), ORG, ChatName("draftshop"))
LIMITS = Limits(timeout_hours_max=2, held_max=3, hold_ms_max=1_000)
STUBS = [Stub.parse("demo.A"), Stub.parse("demo.B"), Stub.parse("desk.C")]
TAKERS = tuple(
    Taker(Registration(name, ORG, STUBS[0], ActionName("take"), "", {}, True, 1, ()), name, "evt")
    for name in ("first", "second")
)
HOURS = [1e-9, 0.0001, 0.0002, 0.5, 1.0, 5.0]  # 0.0001 h are 360 ms
STEPS_MS = [0, 0, 0, 0, 1, 1, 359, 360, 361, 640, 999, 1_000, 1_800_000, 3_600_000, 7_200_000]
MANY = settings(max_examples=max(150, settings().max_examples))
"""The states worth seeing (messages held, a link about to end) take several events in the right order."""


@dataclass(frozen=True)
class Says:
    """A visitor's event: which kind its subject says, who would take it."""

    kind: Kind
    fallback: Stub | None
    taken: frozenset[Kind]

    def event(self) -> VisitorEvent:
        return VisitorEvent(self.kind, self.fallback, lambda kind: TAKERS if kind in self.taken else ())


def says(fallbacks: list[Stub | None]) -> st.SearchStrategy[Says]:
    messages = st.sampled_from([Kind.FIRSTMESSAGE, Kind.MESSAGE])
    return st.builds(
        Says,
        st.one_of(messages, messages, st.sampled_from(sorted(VISITOR_KINDS))),
        st.sampled_from(fallbacks),
        st.sampled_from([*[frozenset({Kind.FIRSTMESSAGE})] * 4, frozenset(), VISITOR_KINDS]),
    )


sets = st.builds(
    LinkSet,
    st.sampled_from(STUBS),
    st.sampled_from(HOURS),
    st.sampled_from([None, ActionName("answer")]),
    st.sampled_from([False, False, False, True]),
)
others: st.SearchStrategy[Event] = st.one_of(
    sets,
    sets,
    st.builds(LinkDeleted, st.sampled_from([None, None, *STUBS])),
    st.just(NoChange()),
    st.builds(TimerFired, st.sampled_from(["link", "hold"]), st.integers(0, 60)),
)
hours_of_talk = st.tuples(st.sampled_from(STEPS_MS), st.one_of(says([None]), says([None]), others))
one_moment = st.tuples(st.sampled_from([0, 1, 400]), st.one_of(says([None, None, STUBS[2]]), others))
logs = st.one_of(st.lists(hours_of_talk, max_size=25), st.lists(one_moment, min_size=6, max_size=15))
Log = list[tuple[int, Says | Event]]


@dataclass
class Witness:
    """Applies a log and keeps book of every effect; fails where a promise is broken."""

    state: State = field(default_factory=State)
    now_ms: int = 1_735_725_600_000
    sequence: int = 0
    linked: dict[int, Link] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    live: Link | None = None
    armed: dict[TimerKind, int] = field(default_factory=dict)
    ends: dict[int, list[Effect]] = field(default_factory=dict)
    wanting: set[int] = field(default_factory=set)
    to_owner: list[int] = field(default_factory=list)
    lateness_ms: list[int] = field(default_factory=list)

    def apply(self, event: Says | Event) -> tuple[Effect, ...]:
        self.sequence += 1
        before = self.state
        given_event = event.event() if isinstance(event, Says) else event
        self.state, effects = self._twice(given_event)
        for effect in effects:
            self._note(effect)
        self._check_link(before, event)
        if isinstance(event, Says) and event.kind not in (Kind.INITIALIZE, Kind.ENDED, Kind.NOTICE):
            self.wanting.add(self.sequence)
        self._check_ends()
        return effects

    def _twice(self, event: Event) -> tuple[State, tuple[Effect, ...]]:
        """Applying an event again, or its successor after a restart, tells no difference."""
        state, effects = apply(self.state, event, sequence=self.sequence, at_ms=self.now_ms, limits=LIMITS)
        stored = validate(StateRecord, decode(encode(dump(StateRecord.of(PATH, self.state)))), what="state").to_state()
        assert apply(stored, event, sequence=self.sequence, at_ms=self.now_ms, limits=LIMITS) == (state, effects)
        assert apply(state, event, sequence=self.sequence, at_ms=self.now_ms, limits=LIMITS) == (state, ())
        return state, effects

    def _note(self, effect: Effect) -> None:
        match effect:
            case AnnounceLinked():
                self._note_linked(effect)
            case AnnounceEnded():
                self._note_ended(effect)
            case Arm(timer, _, at_ms):
                self.armed[timer] = at_ms
            case Disarm(timer):
                self.armed.pop(timer, None)
            case DeliverToOwner(_, _, sequence):
                self.ends.setdefault(sequence, []).append(effect)
                self.to_owner.append(sequence)
            case SetAside(sequence, _, _):
                self.ends.setdefault(sequence, []).append(effect)
            case DeliverToTaker():
                self.ends.setdefault(self.sequence, []).append(effect)

    def _note_linked(self, fact: AnnounceLinked) -> None:
        link, live = fact.link, self.live
        assert link.epoch == self.sequence > max(self.linked, default=0)
        assert fact.replaces == (live.stub if live is not None and live.stub != link.stub else None)
        assert 0 < link.timeout_hours <= LIMITS.timeout_hours_max
        assert fact.clamped == (link.timeout_hours == LIMITS.timeout_hours_max)
        if live is not None:
            self.replaced.add(live.epoch)
        self.linked[link.epoch] = self.live = link

    def _note_ended(self, fact: AnnounceEnded) -> None:
        link = fact.link
        assert link == self.live, "a fact about a link that is not the live one"
        assert link.epoch not in self.ended, "an end announced twice"
        assert (self.now_ms >= link.expires_at_ms) == (fact.reason == "timeout"), "early, or told as something else"
        self.ended[link.epoch] = fact.reason
        self.live = None

    def _check_link(self, before: State, event: Says | Event) -> None:
        link = self.state.link
        assert link == self.live, "the state and the facts disagree"
        assert link is None or self.now_ms < link.expires_at_ms, "a link outlived its deadline"
        if link is not None and not isinstance(event, LinkSet):
            assert link == before.link, "only a set makes or moves a link"
        if isinstance(event, Says) and event.kind is Kind.ENDED:
            assert link is None, "the session ended, its link did not"
        if link is not None:
            assert self.armed["link"] <= link.expires_at_ms, "nobody will remind us in time"
            assert self.state.held == (), "an owner, and messages still held"

    def _check_ends(self) -> None:
        held = self.state.held
        assert len(held) <= LIMITS.held_max
        assert list(held) == sorted(set(held))
        assert not held or self.now_ms < self.state.held_until_ms <= self.armed["hold"]
        for sequence, effects in self.ends.items():
            assert sequence not in held, "delivered or set aside, and still held"
            assert len(effects) == 1 or all(isinstance(effect, DeliverToTaker) for effect in effects)
        assert self.wanting <= set(self.ends) | set(held), "a message that went nowhere"
        assert self.to_owner == sorted(set(self.to_owner)), "an owner got something twice or out of order"

    def pass_time(self, until_ms: int) -> None:
        """Let the server fire what is armed until then, and the expiry worker look at it."""
        while due := [(at_ms, timer) for timer, at_ms in self.armed.items() if at_ms <= until_ms]:
            at_ms, timer = min(due)
            self.now_ms = max(self.now_ms, at_ms)
            del self.armed[timer]
            match look(self.state, timer, fired_at_ms=self.now_ms):
                case ArmAgain(_, again_at_ms):
                    assert again_at_ms > self.now_ms
                    self.armed[timer] = again_at_ms
                case Due(epoch, deadline_at_ms):
                    self.lateness_ms.append(self.now_ms - deadline_at_ms)
                    self.apply(TimerFired(timer, epoch))
                case NothingLeft():
                    pass
        self.now_ms = max(self.now_ms, until_ms)


def run(log: Log, *, timers: bool) -> Witness:
    witness = Witness()
    for step_ms, event in log:
        if timers:
            witness.pass_time(witness.now_ms + step_ms)
        else:
            witness.now_ms += step_ms
        witness.apply(event)
    return witness


@MANY
@given(logs)
def test_no_interleaving_breaks_a_promise_while_no_timer_fires(log: Log) -> None:
    """Nobody sweeps: the fold tests deadlines by itself."""
    witness = run(log, timers=False)
    witness.now_ms += 10 * 3_600_000
    witness.apply(NoChange())
    assert witness.state.link is None
    assert witness.state.held == ()
    assert witness.wanting <= set(witness.ends)


@MANY
@given(logs)
def test_with_timers_alone_every_link_ends_at_its_deadline_and_every_held_message_is_settled(log: Log) -> None:
    witness = run(log, timers=True)
    witness.pass_time(witness.now_ms + 10 * 3_600_000)
    assert witness.state.link is None
    assert witness.state.held == ()
    assert witness.wanting <= set(witness.ends)
    assert set(witness.lateness_ms) <= {0}, "announced late although the timers were on time"


@MANY
@given(logs)
def test_every_link_has_one_end_or_was_replaced_by_the_next(log: Log) -> None:
    witness = run(log, timers=True)
    witness.pass_time(witness.now_ms + 10 * 3_600_000)
    epochs = sorted(witness.linked)
    assert set(witness.ended) <= set(epochs)
    for epoch in epochs:
        assert (epoch in witness.ended) != (epoch in witness.replaced)


@MANY
@given(logs, st.sampled_from(STEPS_MS), st.sampled_from(STEPS_MS), says([None]))
def test_an_expired_link_never_comes_back_as_time_grows(log: Log, sooner_ms: int, more_ms: int, event: Says) -> None:
    witness = run(log, timers=False)
    state, now_ms = witness.state, witness.now_ms

    def epoch_after(wait_ms: int) -> int | None:
        found, _ = apply(state, event.event(), sequence=witness.sequence + 1, at_ms=now_ms + wait_ms, limits=LIMITS)
        return None if found.link is None else found.link.epoch

    if epoch_after(sooner_ms) is None:
        assert epoch_after(sooner_ms + more_ms) is None


@MANY
@given(logs)
def test_the_same_log_gives_the_same_state_and_the_same_effects(log: Log) -> None:
    one, other = run(log, timers=True), run(log, timers=True)
    assert one == other
