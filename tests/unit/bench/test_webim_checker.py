"""The checker of the chaos run finds what was planted: a run that it calls clean is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.bench.webim_fire.checker import KINDS, MARKS, ChatSeen, Kind, RunSeen, answers_to, compare, judge

SENT = ("one", "two", "three")
GOOD = ChatSeen(SENT, SENT, answers_to(SENT))
GIVEN = replace(GOOD, said=("hello", "bye"), collected=("hello", "bye"), marks=MARKS)
CLEAN = RunSeen({"1": GOOD, "2": replace(GOOD), "3": GIVEN}, {4: ["delivered"], 9: ["delivered"]})


def test_each_message_has_two_answers_with_its_number() -> None:
    assert answers_to(("x", "y")) == ("1a x", "1b x", "2a y", "2b y")


def test_a_run_without_a_fault_is_clean() -> None:
    verdict = judge(CLEAN)
    assert verdict.clean
    assert verdict.faults == dict.fromkeys(KINDS, 0)
    assert verdict.examples == ()


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        pytest.param(("one", "three"), "lost", id="one in the middle is missing"),
        pytest.param((), "lost", id="all are missing"),
        pytest.param(("one", "two", "two", "three"), "doubled", id="one twice in a row"),
        pytest.param(("one", "two", "three", "one"), "doubled", id="one again much later"),
        pytest.param(("two", "one", "three"), "reordered", id="the first two changed places"),
        pytest.param(("one", "three", "two"), "reordered", id="the last two did"),
        pytest.param(("one", "two", "three", "four"), "wrong", id="one that nobody wrote"),
    ],
)
def test_what_is_not_as_it_was_sent_has_a_name(found: tuple[str, ...], kind: Kind) -> None:
    assert {one for one, _ in compare(SENT, found)} == {kind}


def test_what_comes_thrice_is_doubled_twice() -> None:
    assert [kind for kind, _ in compare(("one",), ("one", "one", "one"))] == ["doubled", "doubled"]


PLANTED: dict[str, tuple[Callable[[RunSeen], RunSeen], set[Kind]]] = {
    "a message that is not in the log": (
        lambda run: replace(run, chats={"1": replace(GOOD, logged=("one", "three"))}),
        {"lost"},
    ),
    "a message that is twice in the log": (
        lambda run: replace(run, chats={"1": replace(GOOD, logged=("one", "one", "two", "three"))}),
        {"doubled"},
    ),
    "an answer that was never shown": (
        lambda run: replace(run, chats={"1": replace(GOOD, shown=GOOD.shown[:-1])}),
        {"lost"},
    ),
    "an answer shown twice": (
        lambda run: replace(run, chats={"1": replace(GOOD, shown=(GOOD.shown[0], *GOOD.shown))}),
        {"doubled"},
    ),
    "two answers that changed places": (
        lambda run: replace(
            run, chats={"1": replace(GOOD, shown=(*GOOD.shown[:2], *GOOD.shown[4:], *GOOD.shown[2:4]))}
        ),
        {"reordered"},
    ),
    "a message that the program saw twice": (
        lambda run: replace(run, chats={"1": ChatSeen(("one",), ("one",), ("2a one", "2b one"))}),
        {"lost", "wrong"},
    ),
    "an answer in another chat": (
        lambda run: replace(run, chats={"1": replace(GOOD, shown=(*GOOD.shown, "1a else"))}),
        {"wrong"},
    ),
    "a notification without a receipt": (lambda run: replace(run, receipts={4: []}), {"lost"}),
    "a notification with two receipts": (
        lambda run: replace(run, receipts={4: ["delivered", "delivered"]}),
        {"doubled"},
    ),
    "a notification that failed": (lambda run: replace(run, receipts={4: ["failed"]}), {"wrong"}),
    "an operator's words that were not collected": (
        lambda run: replace(run, chats={"1": replace(GIVEN, collected=("hello",))}),
        {"lost"},
    ),
    "an operator's words that were collected twice": (
        lambda run: replace(run, chats={"1": replace(GIVEN, collected=("hello", "bye", "hello"))}),
        {"doubled"},
    ),
    "an end that was never told": (lambda run: replace(run, chats={"1": replace(GIVEN, marks=MARKS[:2])}), {"lost"}),
    "an end that was told twice": (
        lambda run: replace(run, chats={"1": replace(GIVEN, marks=(*MARKS, MARKS[1]))}),
        {"doubled"},
    ),
    "a chat that was given to an operator whom nobody asked for": (
        lambda run: replace(run, chats={"1": replace(GOOD, marks=MARKS)}),
        {"wrong"},
    ),
    "a transfer that failed": (
        lambda run: replace(run, chats={"1": replace(GIVEN, marks=("noLivechatOperatorsOnline", *MARKS))}),
        {"wrong"},
    ),
    "a dead letter": (lambda run: replace(run, dead=["unrouted"]), {"wrong"}),
    "a call that Webim does not allow": (lambda run: replace(run, violations=["/api: no text"]), {"wrong"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_found_and_nothing_else(name: str) -> None:
    plant, kinds = PLANTED[name]
    verdict = judge(plant(CLEAN))
    assert {kind for kind, count in verdict.faults.items() if count} == kinds
    assert not verdict.clean
    assert verdict.examples


def test_examples_are_few_however_much_is_wrong() -> None:
    verdict = judge(RunSeen({"1": ChatSeen(tuple(map(str, range(1_000))), (), ())}))
    assert verdict.faults["lost"] == 3_000
    assert len(verdict.examples) <= 20
