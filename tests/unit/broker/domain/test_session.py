"""The fold, case by case: who owns the conversation, and what follows from each event."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from broker.domain.deliveries import default_feedback_action
from broker.domain.ids import ActionName, ChannelName, OrgId, Stub
from broker.domain.registrations import Registration
from broker.domain.registry import Taker
from broker.domain.session import (
    MS_PER_HOUR,
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
from broker.domain.subjects import Kind

A = Stub.parse("demo.A")
B = Stub.parse("demo.B")
DESK = Stub.parse("desk.1")
DAY_H = 24
LIMITS = Limits(held_max=3, hold_ms_max=60_000)


def taker(name: str) -> Taker:
    registration = Registration(
        id=name,
        org=OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"),
        stub=A,
        action=ActionName("take"),
        message="",
        data={},
        keep=True,
        since=1,
        wishes=(),
    )
    return Taker(registration, name, "evt")


FIRST_TAKER = taker("first")


def says(kind: Kind = Kind.MESSAGE, *, fallback: Stub | None = None, taken: Iterable[Kind] = ()) -> VisitorEvent:
    kinds = frozenset(taken)
    return VisitorEvent(kind, fallback, lambda judged: (FIRST_TAKER,) if judged in kinds else ())


def sets(stub: Stub = B, hours: float = DAY_H, action: str | None = None) -> LinkSet:
    return LinkSet(stub, hours, None if action is None else ActionName(action))


def at(hours: float, *, less_ms: int = 0) -> int:
    return round(hours * MS_PER_HOUR) - less_ms


class Session:
    """One session's log in the making: each call stores one more event and keeps its effects."""

    def __init__(self) -> None:
        self.state = State()
        self.sequence = 0
        self.effects: tuple[Effect, ...] = ()

    def apply(self, event: Event, at_ms: int = 0) -> tuple[Effect, ...]:
        self.sequence += 10
        self.state, self.effects = apply(self.state, event, sequence=self.sequence, at_ms=at_ms, limits=LIMITS)
        return self.effects

    @property
    def owner(self) -> Stub | None:
        return None if self.state.link is None else self.state.link.stub


@pytest.fixture
def session() -> Session:
    return Session()


# Setting a link.


@pytest.mark.check(15)
def test_check_15_after_a_set_the_visitors_message_goes_to_the_owner(session: Session) -> None:
    session.apply(sets(B))
    assert session.apply(says()) == (DeliverToOwner(B, None, 20),)
    assert default_feedback_action(ChannelName("webchat")) == "_update_from_webchat"


@pytest.mark.check(16)
def test_check_16_while_a_link_is_alive_no_registration_and_no_fallback_runs(session: Session) -> None:
    session.apply(sets(B))
    event = VisitorEvent(Kind.MESSAGE, DESK, lambda kind: pytest.fail(f"registrations were asked for {kind}"))
    assert session.apply(event) == (DeliverToOwner(B, None, 20),)


@pytest.mark.check(17)
def test_check_17_a_notification_without_a_stubsession_changes_nothing(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]))
    before = session.state
    assert session.apply(NoChange()) == ()
    assert session.state == State(last_sequence=20, opened=before.opened, offered=before.offered)
    session.apply(sets(B))
    linked = session.state.link
    session.apply(NoChange(), at(23))
    assert session.state.link == linked


@pytest.mark.check(18)
def test_check_18_the_feedback_action_of_the_link_runs(session: Session) -> None:
    session.apply(sets(B, action="answer"))
    assert session.apply(says()) == (DeliverToOwner(B, ActionName("answer"), 20),)


@pytest.mark.check(19)
def test_check_19_a_set_with_hours_only_puts_the_default_action_back(session: Session) -> None:
    session.apply(sets(B, action="answer"))
    session.apply(sets(B))
    assert session.apply(says()) == (DeliverToOwner(B, None, 30),)


@pytest.mark.check(20)
def test_check_20_a_set_by_another_stub_replaces_the_owner(session: Session) -> None:
    session.apply(sets(A))
    (announced,) = session.apply(sets(B))
    assert isinstance(announced, AnnounceLinked)
    assert (announced.link.stub, announced.replaces) == (B, A)
    assert session.apply(says()) == (DeliverToOwner(B, None, 30),)


@pytest.mark.check(21)
def test_check_21_a_link_holds_until_the_last_millisecond_and_not_one_longer(session: Session) -> None:
    session.apply(sets(B, DAY_H))
    linked = session.state.link
    assert linked is not None
    assert session.apply(says(), at(24, less_ms=1_000)) == (DeliverToOwner(B, None, 20),)
    assert session.apply(says(), at(24, less_ms=1)) == (DeliverToOwner(B, None, 30),)
    ended, taken = session.apply(says(taken=[Kind.FIRSTMESSAGE]), at(24))
    assert ended == AnnounceEnded(linked, "timeout")
    assert taken == DeliverToTaker(FIRST_TAKER, Kind.FIRSTMESSAGE)


@pytest.mark.check(22)
def test_check_22_incoming_messages_do_not_extend_a_link(session: Session) -> None:
    session.apply(sets(B, DAY_H))
    for hours in (10, 20):
        session.apply(says(), at(hours))
        assert session.owner == B
    session.apply(says(taken=[Kind.FIRSTMESSAGE]), at(25))
    assert session.owner is None


@pytest.mark.check(23)
def test_check_23_a_second_set_starts_the_time_over(session: Session) -> None:
    session.apply(sets(B, DAY_H))
    session.apply(sets(B, DAY_H), at(20))
    assert session.apply(says(), at(30)) == (DeliverToOwner(B, None, 30),)
    session.apply(NoChange(), at(44))
    assert session.owner is None


@pytest.mark.check(24)
@pytest.mark.check(13)
def test_check_24_after_a_lapsed_link_the_next_message_is_a_first_one_whatever_its_subject_says(
    session: Session,
) -> None:
    session.apply(says(Kind.FIRSTMESSAGE, taken=[Kind.FIRSTMESSAGE]))
    session.apply(sets(B, DAY_H))
    session.apply(says())
    effects = session.apply(says(Kind.MESSAGE, taken=[Kind.FIRSTMESSAGE]), at(24))
    assert effects[-1] == DeliverToTaker(FIRST_TAKER, Kind.FIRSTMESSAGE)


@pytest.mark.check(13)
@pytest.mark.check(11)
def test_check_13_a_second_message_is_a_later_one_whatever_its_subject_says(session: Session) -> None:
    both = [Kind.FIRSTMESSAGE, Kind.MESSAGE]
    assert session.apply(says(Kind.MESSAGE, taken=both)) == (DeliverToTaker(FIRST_TAKER, Kind.FIRSTMESSAGE),)
    assert session.apply(says(Kind.FIRSTMESSAGE, taken=both)) == (DeliverToTaker(FIRST_TAKER, Kind.MESSAGE),)


@pytest.mark.check(25)
def test_check_25_without_a_link_the_profiles_stub_takes_what_comes_and_registrations_do_not(
    session: Session,
) -> None:
    event = says(fallback=DESK, taken=[Kind.FIRSTMESSAGE, Kind.MESSAGE])
    assert session.apply(event) == (DeliverToOwner(DESK, None, 10),)
    assert session.apply(event) == (DeliverToOwner(DESK, None, 20),)


@pytest.mark.check(25)
def test_check_25_an_initialize_is_offered_to_registrations_in_every_routing_mode(session: Session) -> None:
    event = says(Kind.INITIALIZE, fallback=DESK, taken=[Kind.INITIALIZE])
    assert session.apply(event) == (DeliverToTaker(FIRST_TAKER, Kind.INITIALIZE),)


@pytest.mark.check(30)
def test_check_30_of_two_sets_at_once_the_later_in_the_log_owns_the_session_alone(session: Session) -> None:
    session.apply(sets(A), 5)
    session.apply(sets(B), 5)
    assert session.owner == B


@pytest.mark.check(33)
def test_check_33_a_delete_ends_the_link_and_without_one_does_nothing(session: Session) -> None:
    assert session.apply(LinkDeleted()) == ()
    session.apply(sets(B))
    linked = session.state.link
    assert linked is not None
    assert session.apply(LinkDeleted()) == (AnnounceEnded(linked, "deleted"), Disarm("link"))
    assert session.apply(LinkDeleted()) == ()
    assert session.owner is None


def test_the_epoch_is_the_sequence_of_the_event_that_set_the_link(session: Session) -> None:
    session.apply(NoChange())
    arm, announced = session.apply(sets(B, 1), 7)
    link = Link(B, None, epoch=20, expires_at_ms=at(1) + 7, timeout_hours=1)
    assert arm == Arm("link", 20, at(1) + 7)
    assert announced == AnnounceLinked(link, None, clamped=False)
    assert session.state.link == link


def test_the_same_stub_setting_again_replaces_nobody(session: Session) -> None:
    session.apply(sets(B))
    (announced,) = session.apply(sets(B), 1)
    assert isinstance(announced, AnnounceLinked)
    assert announced.replaces is None


def test_hours_over_the_cap_are_clamped_and_told(session: Session) -> None:
    _, announced = session.apply(sets(B, 10_000))
    assert isinstance(announced, AnnounceLinked)
    assert announced.clamped
    assert announced.link.expires_at_ms == at(720)


def test_the_shortest_link_lasts_a_millisecond(session: Session) -> None:
    session.apply(sets(B, 1e-12), 50)
    assert session.apply(says(), 50) == (DeliverToOwner(B, None, 20),)
    session.apply(NoChange(), 51)
    assert session.owner is None


# Timers.


def test_a_later_deadline_keeps_the_timer_that_is_armed(session: Session) -> None:
    session.apply(sets(B, 1))
    assert not any(isinstance(effect, Arm) for effect in session.apply(sets(B, 1), 1))


def test_a_sooner_deadline_arms_the_timer_anew(session: Session) -> None:
    session.apply(sets(B, 2))
    assert Arm("link", 20, at(1)) in session.apply(sets(A, 1))


def test_a_timer_that_fires_early_or_for_an_older_epoch_only_arms_again(session: Session) -> None:
    session.apply(sets(B, 1))
    session.apply(sets(B, 2), 1)
    assert session.apply(TimerFired("link", 10), at(1)) == (Arm("link", 20, at(2) + 1),)
    assert session.owner == B


def test_a_timer_on_time_announces_the_end_once(session: Session) -> None:
    session.apply(sets(B, 1))
    linked = session.state.link
    assert linked is not None
    assert session.apply(TimerFired("link", 10), at(1)) == (AnnounceEnded(linked, "timeout"),)
    assert session.apply(TimerFired("link", 10), at(1)) == ()


def test_a_set_after_the_deadline_announces_the_end_first_and_arms_anew(session: Session) -> None:
    session.apply(sets(B, 1))
    effects = session.apply(sets(B, 1), at(1))
    assert [type(effect) for effect in effects] == [AnnounceEnded, Arm, AnnounceLinked]
    assert isinstance(effects[-1], AnnounceLinked)
    assert effects[-1].replaces is None


# Without a link.


@pytest.mark.parametrize("kind", [Kind.FIRSTMESSAGE, Kind.CONFIGURATION, Kind.USERDATA])
def test_what_nobody_takes_is_set_aside_as_unrouted(session: Session, kind: Kind) -> None:
    (aside,) = session.apply(says(kind))
    assert isinstance(aside, SetAside)
    assert (aside.sequence, aside.code) == (10, "unrouted")
    assert str(kind) in aside.detail


@pytest.mark.parametrize("kind", [Kind.INITIALIZE, Kind.ENDED, Kind.NOTICE])
def test_nobody_needs_to_take_the_beginning_the_end_or_a_notice(session: Session, kind: Kind) -> None:
    assert session.apply(says(kind)) == ()


def test_the_end_of_a_session_reaches_the_owner_and_ends_the_link(session: Session) -> None:
    session.apply(sets(B))
    linked = session.state.link
    assert linked is not None
    assert session.apply(says(Kind.ENDED)) == (
        DeliverToOwner(B, None, 20),
        AnnounceEnded(linked, "ended"),
        Disarm("link"),
    )


# Holding what comes before the answer.


def held(session: Session, count: int = 2) -> None:
    """A first message that somebody took, and more that wait for the answer: sequences 20, 30, ..."""
    session.apply(says(taken=[Kind.FIRSTMESSAGE]))
    for _ in range(count):
        session.apply(says())


def test_what_follows_a_first_message_waits_for_its_taker_to_set_a_link(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]), 5)
    assert session.apply(says(), 7) == (Arm("hold", 20, 60_007),)
    assert session.apply(says(Kind.CONFIGURATION), 8) == ()
    assert session.state.held == (20, 30)


def test_a_registered_taker_of_later_messages_gets_them_at_once(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]))
    assert session.apply(says(taken=[Kind.MESSAGE])) == (DeliverToTaker(FIRST_TAKER, Kind.MESSAGE),)
    assert session.state.held == ()


def test_what_was_held_goes_to_the_new_owner_in_order_after_the_fact(session: Session) -> None:
    held(session)
    effects = session.apply(sets(B, action="answer"), 1)
    assert [type(effect) for effect in effects[:2]] == [Arm, AnnounceLinked]
    assert effects[2:] == (
        DeliverToOwner(B, ActionName("answer"), 20),
        DeliverToOwner(B, ActionName("answer"), 30),
        Disarm("hold"),
    )
    assert session.state.held == ()
    assert session.apply(says(), 2) == (DeliverToOwner(B, ActionName("answer"), 50),)


def test_a_profile_that_gets_a_stub_meanwhile_gets_what_was_held_first(session: Session) -> None:
    held(session)
    assert session.apply(says(fallback=DESK)) == (
        DeliverToOwner(DESK, None, 20),
        DeliverToOwner(DESK, None, 30),
        Disarm("hold"),
        DeliverToOwner(DESK, None, 40),
    )


def test_the_time_of_holding_counts_from_the_first_held_message(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]), 0)
    session.apply(says(), 10)
    session.apply(says(), 50_000)
    assert session.state.held_until_ms == 60_010
    session.apply(says(), 60_010)
    assert session.state.held == (40,)


def test_only_a_first_message_that_somebody_took_makes_the_rest_wait(session: Session) -> None:
    session.apply(says(Kind.CONFIGURATION, taken=[Kind.CONFIGURATION]))
    (aside,) = session.apply(says())
    assert isinstance(aside, SetAside)
    assert aside.code == "unrouted"


def test_more_than_the_limit_is_not_held(session: Session) -> None:
    held(session, LIMITS.held_max)
    (aside,) = session.apply(says())
    assert isinstance(aside, SetAside)
    assert (aside.sequence, aside.code) == (50, "unanswered")
    assert session.state.held == (20, 30, 40)


def test_what_was_held_in_vain_is_set_aside_as_unanswered(session: Session) -> None:
    held(session)
    assert session.apply(NoChange(), 59_999) == ()
    effects = session.apply(TimerFired("hold", 20), 60_000)
    assert [(effect.sequence, effect.code) for effect in effects if isinstance(effect, SetAside)] == [
        (20, "unanswered"),
        (30, "unanswered"),
    ]
    assert len(effects) == 2
    assert session.apply(sets(B), 60_001)[-1] == AnnounceLinked(session.state.link, None, clamped=False)  # type: ignore[arg-type] # just set


def test_a_hold_timer_that_fires_early_arms_again(session: Session) -> None:
    held(session)
    assert session.apply(TimerFired("hold", 20), 59_999) == (Arm("hold", 20, 60_000),)
    assert session.apply(TimerFired("link", 20), 59_999) == ()


# The log.


def test_an_event_that_was_applied_before_changes_nothing(session: Session) -> None:
    session.apply(sets(B))
    for sequence in (5, 10):
        assert apply(session.state, sets(A), sequence=sequence, at_ms=9, limits=LIMITS) == (session.state, ())


def test_the_end_of_a_session_is_never_held_for_an_answer(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]))
    assert session.apply(says(Kind.ENDED)) == ()
    assert session.state.held == ()


# Closed stubs, and threads.


@pytest.mark.check(27)
def test_check_27_a_delete_for_a_closed_stub_ends_its_link_and_no_other(session: Session) -> None:
    session.apply(sets(B))
    assert session.apply(LinkDeleted(only_of=A)) == ()
    assert session.owner == B
    ended, disarmed = session.apply(LinkDeleted(only_of=B))
    assert isinstance(ended, AnnounceEnded)
    assert (ended.reason, disarmed) == ("closed", Disarm("link"))
    assert session.owner is None


@pytest.mark.check(27)
def test_check_27_a_link_for_a_closed_stub_ends_as_it_begins_and_both_are_told(session: Session) -> None:
    session.apply(sets(A))
    linked, ended, disarmed = session.apply(LinkSet(B, DAY_H, None, closed=True))
    assert isinstance(linked, AnnounceLinked)
    assert isinstance(ended, AnnounceEnded)
    assert (linked.link, linked.replaces, ended.reason, disarmed) == (ended.link, A, "closed", Disarm("link"))
    assert session.state == State(last_sequence=20)


def test_what_waited_for_a_stub_that_is_closed_is_set_aside_in_order(session: Session) -> None:
    session.apply(says(taken=[Kind.FIRSTMESSAGE]))
    session.apply(says())
    session.apply(says())
    effects = session.apply(LinkSet(B, DAY_H, None, closed=True))
    aside = [effect for effect in effects if isinstance(effect, SetAside)]
    assert [(effect.sequence, effect.code) for effect in aside] == [(20, "unanswered"), (30, "unanswered")]
    assert Disarm("hold") in effects
    assert session.state.held == ()


@pytest.mark.check(42)
def test_check_42_a_reply_goes_to_its_parents_stub_and_the_link_stays(session: Session) -> None:
    session.apply(sets(A, action="answer"))
    reply = VisitorEvent(Kind.MESSAGE, DESK, lambda _: (), parent=B)
    assert session.apply(reply) == (DeliverToOwner(B, None, 20),)
    own = VisitorEvent(Kind.MESSAGE, DESK, lambda _: (), parent=A)
    assert session.apply(own) == (DeliverToOwner(A, ActionName("answer"), 30),)
    assert session.apply(says()) == (DeliverToOwner(A, ActionName("answer"), 40),)
    assert session.owner == A
