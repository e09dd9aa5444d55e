"""The checker of the chaos run on giosg finds what was planted: a run that it calls clean is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.bench.giosg_fire.checker import (
    KINDS,
    ORDER_MS,
    AgentText,
    ChatSeen,
    ConversationSeen,
    Kind,
    Letter,
    RunSeen,
    judge,
)

ANSWERS = (AgentText("a1", 100, 110), AgentText("a2", 200, 210), AgentText("a3", 300, 310))
ONE = ConversationSeen("support", ("v1", "v2", "v3"), heard=("a1", "a2", "a3"), ends=1)
TWO = ConversationSeen("other", ("w1", "w2"), kept_by_bot=frozenset(("w1",)))
FIRST = ChatSeen("c1", "support", 10, ("v1", "v2"), ANSWERS, is_ended=True)
SECOND = ChatSeen("c2", "support", 20, ("v3",))
THIRD = ChatSeen("c3", "other", 5, ("w2",))
CLEAN = RunSeen({"one": ONE, "two": TWO}, (SECOND, FIRST, THIRD))

Change = Callable[[RunSeen], RunSeen]


def one(**changes: object) -> Change:
    """The first conversation is different."""
    return lambda run: replace(run, conversations={"one": replace(ONE, **changes), "two": TWO})  # type: ignore[arg-type]  # whatever a case says


def chats(*found: ChatSeen) -> Change:
    """giosg has other chats."""
    return lambda run: replace(run, chats=found)


def test_a_run_without_a_fault_is_clean() -> None:
    verdict = judge(CLEAN)
    assert verdict.clean, verdict.examples
    assert verdict.faults == dict.fromkeys(KINDS, 0)
    assert (verdict.late, verdict.unannounced, verdict.unheard) == (0, 0, 0)


PLANTED: dict[str, tuple[Change, set[Kind]]] = {
    "a visitor's text that giosg never got": (chats(replace(FIRST, visitor=("v1",)), SECOND, THIRD), {"lost"}),
    "a visitor's text that giosg got twice": (
        chats(replace(FIRST, visitor=("v1", "v2", "v2")), SECOND, THIRD),
        {"doubled"},
    ),
    "a visitor's text in the old chat and in the new one": (
        chats(FIRST, replace(SECOND, visitor=("v2", "v3")), THIRD),
        {"doubled"},
    ),
    "two texts of a visitor's that changed places": (
        chats(replace(FIRST, visitor=("v2", "v1")), SECOND, THIRD),
        {"reordered"},
    ),
    "a later text in the chat before": (
        chats(replace(FIRST, visitor=("v1", "v3")), replace(SECOND, visitor=("v2",)), THIRD),
        {"reordered"},
    ),
    "a text of another conversation's": (
        chats(replace(FIRST, visitor=("v1", "v2", "w2")), SECOND, replace(THIRD, is_ended=True, visitor=())),
        {"wrong", "lost"},
    ),
    "a text that nobody wrote": (chats(FIRST, replace(SECOND, visitor=("v3", "x")), THIRD), {"wrong"}),
    "a chat at another org's connection": (chats(FIRST, SECOND, replace(THIRD, connection="support")), {"wrong"}),
    "an open chat in which nothing was written": (chats(FIRST, SECOND, THIRD, ChatSeen("c4", "other", 9)), {"wrong"}),
    "an agent's text that was never heard": (one(heard=("a1", "a3")), {"lost"}),
    "an agent's text that was heard twice": (one(heard=("a1", "a2", "a3", "a2")), {"doubled"}),
    "two agents' texts that changed places": (one(heard=("a2", "a1", "a3")), {"reordered"}),
    "an agent's text that another visitor heard": (
        lambda run: replace(run, conversations={"one": ONE, "two": replace(TWO, heard=("a1",))}),
        {"wrong"},
    ),
    "an end that was not told": (one(ends=0), {"lost"}),
    "an end that was told twice": (one(ends=2), {"doubled"}),
    "a dead letter with a visitor's text": (lambda run: replace(run, letters=(Letter("why", ("v1",)),)), {"lost"}),
    "any other dead letter": (lambda run: replace(run, letters=(Letter("why"),)), {"wrong"}),
}


@pytest.mark.parametrize(("plant", "kinds"), [pytest.param(*case, id=name) for name, case in PLANTED.items()])
def test_what_was_planted_is_found(plant: Change, kinds: set[Kind]) -> None:
    verdict = judge(plant(CLEAN))
    assert {kind for kind, count in verdict.faults.items() if count} == kinds
    assert verdict.examples


def test_what_the_bot_kept_may_be_missing_and_is_doubled_if_it_is_there_twice() -> None:
    brought = chats(FIRST, SECOND, replace(THIRD, visitor=("w1", "w2")))
    assert judge(brought(CLEAN)).clean
    doubled = chats(FIRST, SECOND, replace(THIRD, visitor=("w1", "w1", "w2")))
    assert judge(doubled(CLEAN)).faults["doubled"] == 1


@pytest.mark.parametrize(
    ("arrived", "late"),
    [
        pytest.param(None, 1, id="its webhook was lost"),
        pytest.param(210 + ORDER_MS + 1, 1, id="its webhook came much later"),
        pytest.param(210 + ORDER_MS, 0, id="its webhook came soon enough"),
    ],
)
def test_an_older_text_may_come_after_a_younger_one_only_where_its_webhook_did(arrived: int | None, late: int) -> None:
    first = replace(FIRST, agents=(replace(ANSWERS[0], arrived_at_ms=arrived), *ANSWERS[1:]))
    verdict = judge(one(heard=("a2", "a1", "a3"))(chats(first, SECOND, THIRD)(CLEAN)))
    assert verdict.late == late
    assert verdict.faults["reordered"] == 1 - late
    assert verdict.unannounced == (arrived is None)


def test_a_new_chat_tells_of_the_end_of_the_one_before() -> None:
    assert judge(one(ends=0, renewals=1)(CLEAN)).clean


def test_what_is_written_when_the_visitor_has_gone_may_stay_unheard() -> None:
    verdict = judge(one(heard=("a1", "a2"), left_at_ms=250)(CLEAN))
    assert verdict.clean, verdict.examples
    assert verdict.unheard == 1
    assert judge(one(heard=("a1",), left_at_ms=250)(CLEAN)).faults["lost"] == 1
