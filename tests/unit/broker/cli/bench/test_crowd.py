"""The load of a benchmark: sizes, marks, and the same again for the same seed."""

from __future__ import annotations

import pytest

from broker.cli.bench.crowd import Crowd, Message, lanes, marked, plan, visitor_body
from broker.codec import decode
from broker.domain.events import read_visitor
from broker.domain.ids import ChannelName, OrgId

CROWD = Crowd(OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"), 10)


@pytest.mark.parametrize("size", [260, 300, 511, 1_000, 60_000])
def test_a_body_has_exactly_the_size_asked_for_and_is_a_documented_one(size: int) -> None:
    data = visitor_body(CROWD.conversation(3), Message(3, 17).mark, size)
    content, _ = read_visitor(ChannelName("webchat"), decode(data))
    assert len(data) == size
    assert content.sessionuuid == CROWD.session(3)
    assert marked(data) == Message(3, 17)


def test_a_body_of_somebody_else_has_no_mark() -> None:
    assert marked(b"hei") is None


def test_every_process_makes_the_same_sessions_and_messages() -> None:
    assert CROWD.session(1) == Crowd(CROWD.org, 99).session(1)
    assert plan(range(10), 50, seed=1) == plan(range(10), 50, seed=1)
    assert plan(range(10), 50, seed=1) != plan(range(10), 50, seed=2)


def test_the_messages_of_a_session_are_numbered_in_order() -> None:
    found = lanes(plan(range(3), 60, seed=5))
    assert sum(map(len, found.values())) == 60
    assert all(numbers == list(range(len(numbers))) for numbers in found.values())
