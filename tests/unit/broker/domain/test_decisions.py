from __future__ import annotations

import pytest

from broker.domain import headers as names
from broker.domain.decisions import Decision, decide, judged_kind, span_text
from broker.domain.ids import ActionName, OrgId, Stub
from broker.domain.registrations import Mechanism, Registration
from broker.domain.registry import Occasion, Taker
from broker.domain.replay import LogEvent, Rules, replay
from broker.domain.session import Limits, State
from broker.domain.subjects import Kind
from tests.unit.broker.domain.test_replay import HOUR_MS, PLACE, RULES, A, closed, fired, no_profile, notified, said

B = Stub.parse("desk.B-2")


def registered(mechanism: Mechanism, *kinds: Kind) -> Rules:
    registration = Registration(
        id="r1", org=OrgId("o"), stub=B, action=ActionName("take"), message="", data={}, keep=True, since=0, wishes=()
    )

    def takers(kind: Kind, _occasion: Occasion) -> tuple[Taker, ...]:
        return (Taker(registration, "it", mechanism),) if kind in kinds else ()

    return Rules(no_profile, takers, Limits(hold_ms_max=1_000))


def decision(events: list[LogEvent], sequence: int, rules: Rules = RULES) -> Decision:
    found = decide(replay(events, State(), rules), sequence)
    assert found is not None
    return found


PROFILE = Rules(lambda _incoming: B, RULES.takers)
LINKED = [said(1), notified(2, hours=1.0)]
OFFERED = registered("cbh", Kind.FIRSTMESSAGE)
LEFT = said(3, 10, Kind.ENDED)
DELETED = LogEvent(
    3,
    0,
    PLACE.subject(Kind.DELETE),
    {},
    {"params": {"webchat": {"operation": "delete", "sessionuuid": PLACE.session}}},
)
REPLY = LogEvent(3, 0, said(3).subject, {names.PARENT: str(B)}, said(3).body)


def closing(stub: Stub) -> LogEvent:
    task = {"operation": "delete", "sessionuuid": PLACE.session, "only_of": str(stub)}
    return LogEvent(3, 0, PLACE.subject(Kind.DELETE), {}, {"params": {"webchat": task}})


CLOSED, OTHER = closing(A), closing(B)


@pytest.mark.parametrize(
    ("events", "sequence", "rules", "word", "why"),
    [
        pytest.param(
            [*LINKED, said(3, 60_000)],
            3,
            RULES,
            "delivered",
            "to demo.A-1 was alive, with 59 min 0 s left",
            id="link",
        ),
        pytest.param(
            [said(1)],
            1,
            PROFILE,
            "delivered",
            "profile (as it is now) names desk.B-2",
            id="profile",
        ),
        pytest.param([said(1)], 1, OFFERED, "delivered", "one registration (as registered now) took", id="cbh"),
        pytest.param([said(1)], 1, RULES, "dead_lettered", "for firstmessage (as registered now)", id="nobody"),
        pytest.param([said(1), said(2)], 2, OFFERED, "held", "and waits still", id="held"),
        pytest.param(
            [said(1), said(2, 5), notified(3, 800, hours=1.0)],
            2,
            OFFERED,
            "delivered",
            "event 3 gave the conversation to demo.A-1 795 ms later",
            id="released",
        ),
        pytest.param(
            [said(1), said(2), said(3, 5_000)],
            2,
            OFFERED,
            "dead_lettered",
            "no stub set a link",
            id="given up",
        ),
        pytest.param([said(1, 0, Kind.ENDED)], 1, RULES, "unheard", "waits for no answer", id="news for nobody"),
        pytest.param(LINKED, 2, RULES, "link_set", "asks for a link to demo.A-1 for 1 h", id="set"),
        pytest.param([*LINKED, notified(3, 5)], 3, RULES, "unchanged", "without 'stubsession'", id="plain"),
        pytest.param([*LINKED, DELETED], 3, RULES, "link_deleted", "ends the link of epoch 2", id="delete"),
        pytest.param([*LINKED, closed(3, 2)], 2, RULES, "link_deleted", "but that stub is closed", id="closed"),
        pytest.param([*LINKED, CLOSED], 3, RULES, "link_deleted", "demo.A-1, which is closed", id="closing"),
        pytest.param([*LINKED, OTHER], 3, RULES, "unchanged", "the link is to demo.A-1", id="closing another"),
        pytest.param([*LINKED, REPLY], 3, RULES, "delivered", "replies to a message of desk.B-2", id="a thread"),
        pytest.param([said(1), DELETED], 3, RULES, "unchanged", "nothing to delete", id="nothing to delete"),
        pytest.param([*LINKED, fired(3, HOUR_MS, 2)], 3, RULES, "link_expired", "reached its deadline", id="timeout"),
        pytest.param([*LINKED, fired(3, 5, 1)], 3, RULES, "unchanged", "its timer is armed again", id="older epoch"),
        pytest.param([said(1), fired(3, 5, 1)], 3, RULES, "unchanged", "no link is left", id="timer of nothing"),
    ],
)
def test_a_decision_says_what_and_why(events: list[LogEvent], sequence: int, rules: Rules, word: str, why: str) -> None:
    found = decision(events, sequence, rules)
    assert (found.word, why in found.why) == (word, True), found.why


def test_a_link_that_ran_out_before_the_event_is_told() -> None:
    found = decision([*LINKED, said(3, HOUR_MS + 2_000)], 3)
    assert (found.word, found.link) == ("dead_lettered", None)
    assert [(step.what, step.at_ms) for step in found.steps] == [("judged", HOUR_MS + 2_000), ("ran out", HOUR_MS)]
    assert "2.0 s before" in found.steps[1].text


def test_leaving_ends_the_link_after_it_was_told_to_the_owner() -> None:
    found = decision([*LINKED, LEFT], 3)
    assert (found.word, found.targets[0].stub) == ("delivered", A)
    assert [step.what for step in found.steps] == ["ended"]


def test_a_set_tells_what_it_released_and_replaced() -> None:
    found = decision([said(1), said(2), notified(3, 10, hours=9_999.0)], 3, OFFERED)
    assert "for 720 h, the most there is" in found.why
    released = next(step for step in found.steps if step.what == "released")
    assert released.facts == {"sequences": [2]}


def test_a_turn_is_told_as_one_of_several() -> None:
    found = decision([said(1)], 1, registered("rra", Kind.FIRSTMESSAGE))
    assert found.targets[0].by_turns
    assert "they take turns" in found.steps[-1].text


def test_the_fold_judges_first_or_later() -> None:
    events = [said(1), said(2, 0, Kind.FIRSTMESSAGE), said(3, 0, Kind.NOTICE)]
    assert [judged_kind(found) for found in replay(events, State(), RULES)] == [
        Kind.FIRSTMESSAGE,
        Kind.MESSAGE,
        Kind.NOTICE,
    ]


def test_an_event_that_was_not_folded_has_no_decision() -> None:
    assert decide(replay(LINKED, State(), RULES), 77) is None


@pytest.mark.parametrize(
    ("span_ms", "expected"),
    [
        (0, "0 ms"),
        (-999, "999 ms"),
        (1_500, "1.5 s"),
        (61_000, "1 min 1 s"),
        (HOUR_MS, "1 h 0 min"),
        (25 * HOUR_MS, "1 d 1 h"),
    ],
)
def test_a_span_is_told_in_the_units_that_say_most(span_ms: int, expected: str) -> None:
    assert span_text(span_ms) == expected
