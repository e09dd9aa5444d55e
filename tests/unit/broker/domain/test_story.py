from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.domain import headers as names
from broker.domain.decisions import Decision, Target, decide
from broker.domain.events import Receipt
from broker.domain.ids import ActionName
from broker.domain.replay import LogEvent, Unread, replay
from broker.domain.session import State
from broker.domain.story import Evidence, Handling, LetterFound, RunFound, Story, tell
from broker.domain.subjects import Kind
from broker.domain.wire import dump
from tests.unit.broker.domain.test_decisions import B
from tests.unit.broker.domain.test_replay import HOUR_MS, PLACE, RULES, A, fact, fired, notified, said

ACTION = ActionName("_update_from_webchat")
LINKED = [said(1), notified(2, hours=1.0)]
SAID = said(3, 1_000)


def evidence(event: LogEvent, *after: LogEvent, before: tuple[LogEvent, ...] = (), **found: Any) -> Evidence:
    events = (event, *after)
    decision = decide(replay((*before, *events), State(), RULES), event.sequence)
    return Evidence(event, events, decision, **found)


def run(sequence: int = 7, handling: Handling = "done", **more: Any) -> RunFound:
    return RunFound(sequence, 1_002, A, ACTION, handling, **more)


def letter(reason: str, original: int = 3, stream: str = "CONVERSATIONS") -> LetterFound:
    return LetterFound(4, 1_005, stream, original, reason, "that is why", 2)


def words(story: Story) -> list[str]:
    return [step.what for step in story.steps]


def text_of(story: Story, what: str) -> str:
    return next(step.text for step in story.steps if step.what == what)


def test_a_delivery_is_told_with_its_run_and_what_the_service_did() -> None:
    answer = LogEvent(9, 1_010, PLACE.subject(Kind.NOTIFICATION), {names.MESSAGE_ID: "s-run-7-1"}, notified(9).body)
    found = evidence(SAID, answer, before=tuple(LINKED), runs=(run(applied=True, event_id="s-run-7"),))
    story = tell(found)
    assert (story.decision.word, story.remarks) == ("delivered", ())
    assert words(story) == ["stored", "delivered", "answered", "run"]
    assert [story.after_ms(step) for step in story.steps] == [0, 2, 10, None]
    assert text_of(story, "run") == "7 is done: demo has kept what it changed"


@pytest.mark.parametrize(
    ("handling", "expected"),
    [
        pytest.param("done", "has acknowledged it", id="settled"),
        pytest.param("in_hand", "is in hand at demo", id="taken, not settled"),
        pytest.param("waiting", "waits for demo to take it", id="not taken"),
        pytest.param("unknown", "no program has ever taken runs of demo", id="no consumer"),
    ],
)
def test_how_far_a_run_is_is_told(handling: Handling, expected: str) -> None:
    assert expected in text_of(tell(evidence(SAID, before=tuple(LINKED), runs=(run(handling=handling),))), "run")


def test_a_run_that_was_begun_before_says_how_often() -> None:
    found = evidence(SAID, before=tuple(LINKED), runs=(run(handling="in_hand", applied=False, begun=2),))
    assert text_of(tell(found), "run").endswith("; begun 2 times so far")


def test_a_run_that_died_is_told_by_its_letter() -> None:
    dead = letter("action_not_in_state", 7, "DELIVERIES")
    story = tell(evidence(SAID, before=tuple(LINKED), runs=(run(),), letters=(dead,)))
    assert story.decision.word == "delivered"
    assert words(story) == ["stored", "delivered", "dead letter"]
    assert "run 7, after 2 attempts" in text_of(story, "dead letter")


def test_a_run_that_is_not_there_is_missing_unless_the_linker_is_still_at_it() -> None:
    assert "missing" in words(tell(evidence(SAID, before=tuple(LINKED))))
    waiting = tell(evidence(SAID, before=tuple(LINKED), handling="waiting"))
    assert words(waiting) == ["stored", "waiting"]
    assert "no linker has ever run" in text_of(tell(evidence(SAID, handling="unknown")), "waiting")


def test_what_happened_counts_more_than_the_replay() -> None:
    taken = tell(evidence(said(1), runs=(run(),)))
    assert (taken.decision.word, "as registered now nobody would" in taken.decision.why) == ("delivered", True)
    assert len(taken.remarks) == 1
    unrouted = tell(evidence(SAID, before=tuple(LINKED), letters=(letter("unrouted"),)))
    assert (unrouted.decision.word, unrouted.decision.at_ms) == ("dead_lettered", 1_005)


def test_a_refusal_is_told_by_its_letter_or_by_reading_it_again() -> None:
    garbage = LogEvent(3, 0, PLACE.subject(Kind.MESSAGE), {}, None, Unread("undecodable", "no map"))
    assert tell(evidence(garbage)).decision.why == "undecodable: no map"
    forbidden = tell(evidence(SAID, before=tuple(LINKED), letters=(letter("forbidden"),)))
    assert (forbidden.decision.word, forbidden.decision.why) == ("refused", "forbidden: that is why")


def test_a_set_is_told_with_its_facts_and_receipts() -> None:
    receipt = LogEvent(
        5, 40, PLACE.subject(Kind.RECEIPT), {}, dump(Receipt(notification=2, status="failed", reason="x"))
    )
    end = fact(6, Kind.EXPIRED, 2, HOUR_MS + 9)
    story = tell(evidence(LINKED[1], fact(4, Kind.LINKED, 2, 3), receipt, end, before=(LINKED[0],)))
    assert words(story) == ["stored", "armed", "linked", "receipt", "expired"]
    assert text_of(story, "receipt") == "failed: x; receipt 5"
    assert "from demo.A-1" in text_of(story, "stored")


def test_a_notification_without_a_receipt_says_so() -> None:
    assert text_of(tell(evidence(LINKED[1])), "receipt").startswith("none yet")


def test_a_timeout_is_told_with_its_deadline() -> None:
    event = replace(fired(3, HOUR_MS, 2), at_ms=HOUR_MS + 140)
    story = tell(evidence(event, fact(4, Kind.EXPIRED, 2, HOUR_MS + 150), before=tuple(LINKED)))
    assert words(story) == ["deadline", "stored", "expired"]
    assert story.steps[0].facts == {"late_ms": 140, "epoch": 2}
    assert [story.after_ms(step) for step in story.steps] == [-140, 0, 10]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(fact(5, Kind.LINKED, 2), "'heimdall explain 2'", id="linked"),
        pytest.param(fact(5, Kind.EXPIRED, 2), "'heimdall explain 2'", id="expired"),
        pytest.param(
            LogEvent(5, 0, PLACE.subject(Kind.RECEIPT), {}, dump(Receipt(notification=8, status="delivered"))),
            "'heimdall explain 8'",
            id="a receipt",
        ),
        pytest.param(LogEvent(5, 0, PLACE.subject(Kind.LINKED), {}, {"a": 1}), "cannot be read", id="somebody else's"),
    ],
)
def test_a_fact_points_to_the_event_that_it_is_about(event: LogEvent, expected: str) -> None:
    story = tell(evidence(event))
    assert (story.decision.word, expected in story.decision.why) == ("not_folded", True)


def test_a_letter_that_went_back_onto_the_bus_is_told_on_both_events() -> None:
    again = LogEvent(8, 5_000, SAID.subject, {names.REDRIVEN: "3"}, SAID.body)
    assert text_of(tell(evidence(SAID, again)), "redriven") == "as event 8"
    assert text_of(tell(evidence(again)), "stored") == "as 8 of the log; first as 3"


def test_by_turns_any_run_will_do() -> None:
    decision = Decision("delivered", "turns", 0, targets=(Target(B, ACTION, "r1", by_turns=True),))
    story = tell(Evidence(SAID, (SAID,), decision, runs=(run(),)))
    assert ("missing" in words(story), story.remarks) == (False, ())


def test_an_event_that_the_replay_did_not_reach_is_not_known() -> None:
    assert tell(Evidence(SAID)).decision.word == "unknown"


def test_the_record_is_one_document_without_any_text() -> None:
    record = tell(evidence(SAID, before=tuple(LINKED), runs=(run(),))).record()
    assert (record["sequence"], record["kind"], record["link"]["stub"]) == (3, "message", "demo.A-1")
    assert record["steps"][1]["run"] == 7
    assert "hei" not in str(record).replace("heimdall", "")
