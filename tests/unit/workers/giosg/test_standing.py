"""How a connection is: the worst of what is wrong with it."""

from __future__ import annotations

import pytest

from workers.giosg.watching.standing import (
    ADVICE,
    STATUS_OF,
    ProblemCode,
    Standing,
    Status,
    with_problem,
    without_problem,
    worst,
)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        pytest.param((), "ok", id="nothing is wrong"),
        pytest.param(("token_refused",), "degraded", id="texts still go both ways"),
        pytest.param(("no_webhooks", "encrypted_room"), "degraded", id="two small ones do not add up"),
        pytest.param(("no_webhooks", "wrong_room"), "unhealthy", id="the worst counts"),
    ],
)
def test_a_connection_is_as_bad_as_the_worst_of_its_reasons(codes: tuple[ProblemCode, ...], expected: Status) -> None:
    standing = Standing()
    for code in codes:
        standing = with_problem(standing, code, "", now_ms=1)
    assert standing.status == expected


def test_a_problem_keeps_the_moment_since_when_it_is_there() -> None:
    twice = with_problem(with_problem(Standing(), "giosg_away", "a", now_ms=1), "giosg_away", "b", now_ms=2)
    assert [(reason.since_ms, reason.detail) for reason in twice.reasons] == [(1, "b")]


def test_a_problem_that_is_gone_leaves_the_others() -> None:
    both = with_problem(with_problem(Standing(), "giosg_away", "", now_ms=1), "no_webhooks", "", now_ms=2)
    left = without_problem(both, "giosg_away")
    assert (left.has("giosg_away"), left.has("no_webhooks")) == (False, True)


def test_the_worst_of_nothing_is_ok() -> None:
    assert worst(()) == "ok"


def test_each_problem_has_a_status_and_advice() -> None:
    assert set(STATUS_OF) == set(ADVICE)
