"""A check that cannot fail is a defect: every kind of violation is planted here, and must be found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.cli.bench.chaos.book import Book, Event, Letter, Rules, Run, Sent
from broker.cli.bench.chaos.checker import Fault, check

CHAT, SESSION = "draftchat", "aaaaaaaa-0000-4000-8000-000000000000"
RULES = Rules({(CHAT, "firstmessage"): ("chaos.desk", "take")}, service="demo", hold_ms=2_000)
SECOND_H = 1 / 3600


def event(sequence: int, at_ms: int, kind: str, **more: object) -> Event:
    return replace(Event(sequence, at_ms, f"id-{sequence}", SESSION, CHAT, kind), **more)  # type: ignore[arg-type]


LINKED = event(4, 1_005, "stubsession.linked", id="x", epoch=3, stub="chaos.A", deadline_ms=3_000)
TIMEOUT = event(6, 3_100, "stubsession.timeout", id="y", epoch=3, deadline_ms=3_000)
EXPIRED = event(7, 3_105, "stubsession.expired", id="z", epoch=3, stub="chaos.A", deadline_ms=3_000)
EVENTS = (
    event(1, 500, "firstmessage"),
    event(2, 600, "message"),
    event(3, 1_000, "notification", stub="chaos.A", hours=2 * SECOND_H),
    LINKED,
    event(5, 2_999, "message"),
    TIMEOUT,
    EXPIRED,
    event(8, 3_200, "message", id="garbage-1"),
    event(9, 3_300, "userdata"),
)
RUNS = (
    Run(1, SESSION, 1, "chaos.desk", "take"),
    Run(2, SESSION, 2, "chaos.A", "_update_from_webchat"),
    Run(3, SESSION, 5, "chaos.A", "_update_from_webchat"),
)
LETTERS = (Letter("CONVERSATIONS", 8, "undecodable"), Letter("CONVERSATIONS", 9, "unrouted"))
SENT = tuple(Sent(f"id-{number}", SESSION, number) for number in (1, 2, 3, 5))
HONEST = Book(EVENTS, RUNS, LETTERS, SENT, read_at_ms=10_000)


def without(events: tuple[Event, ...], sequence: int) -> tuple[Event, ...]:
    return tuple(found for found in events if found.sequence != sequence)


def test_a_book_in_which_all_is_well_has_no_fault() -> None:
    verdict = check(HONEST, RULES)
    assert verdict.clean, verdict.examples
    assert verdict.late_ms == [105]


@pytest.mark.parametrize(
    ("book", "fault"),
    [
        pytest.param(replace(HONEST, events=without(EVENTS, 1), runs=RUNS[1:]), "lost", id="an acknowledged event"),
        pytest.param(replace(HONEST, runs=RUNS[:2]), "lost", id="a run"),
        pytest.param(replace(HONEST, runs=(RUNS[0], RUNS[2])), "lost", id="a held message's run"),
        pytest.param(replace(HONEST, events=without(EVENTS, 4)), "lost", id="a linked fact"),
        pytest.param(replace(HONEST, events=without(EVENTS, 7)), "lost", id="an expired fact"),
        pytest.param(
            replace(HONEST, events=EVENTS[:5], letters=()), "lost", id="an expired fact that time alone must bring"
        ),
        pytest.param(replace(HONEST, letters=LETTERS[1:]), "lost", id="garbage without a dead letter"),
        pytest.param(replace(HONEST, letters=LETTERS[:1]), "lost", id="an unrouted event without a dead letter"),
        pytest.param(
            replace(HONEST, events=(*EVENTS, event(10, 3_400, "message", id="id-2"))),
            "doubled",
            id="an event stored twice",
        ),
        pytest.param(replace(HONEST, runs=(*RUNS, replace(RUNS[2], sequence=4))), "doubled", id="a run"),
        pytest.param(replace(HONEST, events=(*EVENTS, replace(LINKED, sequence=10))), "doubled", id="a linked fact"),
        pytest.param(replace(HONEST, events=(*EVENTS, replace(EXPIRED, sequence=10))), "doubled", id="an expired fact"),
        pytest.param(replace(HONEST, letters=(*LETTERS, LETTERS[0])), "doubled", id="a dead letter"),
        pytest.param(
            replace(HONEST, runs=(RUNS[0], replace(RUNS[1], sequence=9), RUNS[2])),
            "reordered",
            id="a held run came late",
        ),
        pytest.param(
            replace(HONEST, sent=(*SENT[:2], Sent("id-5", SESSION, 3), Sent("id-3", SESSION, 5))),
            "reordered",
            id="the log against what the visitor sent",
        ),
        pytest.param(
            replace(HONEST, events=(*without(EVENTS, 4), replace(LINKED, sequence=10))), "reordered", id="facts"
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS[:6], replace(EXPIRED, at_ms=2_999), *EVENTS[7:])),
            "falsely_expired",
            id="an expired fact before its deadline",
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS[:5], replace(TIMEOUT, at_ms=2_998), *EVENTS[6:])),
            "falsely_expired",
            id="a timeout told before its deadline",
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS, replace(EXPIRED, sequence=10, epoch=5))),
            "falsely_expired",
            id="an expired fact of a link that never was",
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS, event(10, 3_400, "stubsession.cancelled", id="c", epoch=3))),
            "wrong",
            id="a cancelled fact of a link that had expired",
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS[:3], replace(LINKED, stub="chaos.B"), *EVENTS[4:])),
            "wrong",
            id="a linked fact that names another stub",
        ),
        pytest.param(replace(HONEST, runs=(*RUNS[:2], replace(RUNS[2], stub="chaos.B"))), "wrong", id="another stub"),
        pytest.param(
            replace(HONEST, runs=(*RUNS, Run(4, "nobody", 1, "chaos.A", "take"))), "wrong", id="a run for nobody"
        ),
        pytest.param(
            replace(HONEST, letters=(*LETTERS, Letter("CONVERSATIONS", 2, "unanswered"))), "wrong", id="a dead letter"
        ),
        pytest.param(
            replace(HONEST, letters=(*LETTERS, Letter("DELIVERIES", 2, "worker_fault"))), "wrong", id="a run set aside"
        ),
        pytest.param(
            replace(HONEST, events=(*EVENTS[:6], replace(EXPIRED, at_ms=3_501), *EVENTS[7:])), "late", id="past 0.5 s"
        ),
    ],
)
def test_a_planted_violation_is_found(book: Book, fault: Fault) -> None:
    verdict = check(book, RULES)
    assert verdict.faults[fault], (verdict.faults, verdict.examples)
    assert any(example.startswith(fault) for example in verdict.examples)


@pytest.mark.parametrize(("span", "late"), [((3_400, 5_000), 0), ((0, 2_900), 1), ((9_000, 9_500), 1)])
def test_lateness_counts_in_quiet_running_only(span: tuple[int, int], late: int) -> None:
    events = (*EVENTS[:6], replace(EXPIRED, at_ms=3_900), *EVENTS[7:])
    verdict = check(replace(HONEST, events=events, disturbed=(span,)), RULES)
    assert verdict.faults["late"] == late
    assert verdict.late_ms == [900] * late


def test_messages_held_past_their_time_are_expected_as_dead_letters() -> None:
    events = (event(1, 500, "firstmessage"), event(2, 600, "message"))
    letters = (Letter("CONVERSATIONS", 2, "unanswered"),)
    assert check(Book(events, RUNS[:1], letters, (), read_at_ms=9_000), RULES).clean
    assert check(Book(events, RUNS[:1], (), (), read_at_ms=9_000), RULES).faults["lost"] == 1


@pytest.mark.parametrize(("answers", "fault"), [(0, "lost"), (1, None), (2, "doubled")])
def test_each_run_of_the_program_is_answered_once(answers: int, fault: Fault | None) -> None:
    runs = (*RUNS, Run(4, SESSION, 0, "demo.S", "_create"), Run(5, SESSION, 0, "demo.create-draft", "create_stub"))
    answer = event(10, 3_400, "notification", stub="demo.S")
    answered = (*EVENTS, *(replace(answer, sequence=10 + number, id=f"a{number}") for number in range(answers)))
    verdict = check(replace(HONEST, events=answered, runs=runs), RULES)
    assert list(verdict.faults) == ([] if fault is None else [fault]), verdict.examples


@pytest.mark.parametrize(("made", "fault"), [(0, "lost"), (2, "doubled")])
def test_each_conversation_gets_one_stub_for_each_first_message(made: int, fault: Fault) -> None:
    runs = (
        *RUNS,
        Run(4, SESSION, 0, "demo.create-draft", "create_stub"),
        *(Run(5 + number, SESSION, 0, "demo.S", "_create") for number in range(made)),
    )
    answers = tuple(event(10 + n, 3_400, "notification", id=f"a{n}", stub="demo.S") for n in range(made))
    assert check(replace(HONEST, events=(*EVENTS, *answers), runs=runs), RULES).faults == {fault: 1}
