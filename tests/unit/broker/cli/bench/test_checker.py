"""What counts as lost, doubled and reordered."""

from __future__ import annotations

import pytest

from broker.cli.bench.checker import Verdict, check

SENT = {"a": [1, 2, 3], "b": [1, 2]}
ALL = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(ALL, Verdict(), id="lanes may mix"),
        pytest.param(ALL[:-1], Verdict(lost=1), id="the last one never came"),
        pytest.param([*ALL, ("a", 3)], Verdict(doubled=1), id="one came twice"),
        pytest.param([*ALL, ("a", 1)], Verdict(doubled=1), id="an old one again is doubled, not reordered as well"),
        pytest.param([ALL[2], *ALL[:2], *ALL[3:]], Verdict(reordered=1), id="the second came before the first"),
        pytest.param([*ALL, ("a", 9), ("c", 1)], Verdict(unknown=2), id="what nobody sent"),
        pytest.param([], Verdict(lost=5), id="nothing came"),
    ],
)
def test_the_checker_counts_each_broken_promise_once(seen: list[tuple[str, int]], expected: Verdict) -> None:
    assert check(SENT, seen) == expected


def test_a_verdict_tells_only_what_was_broken() -> None:
    assert Verdict(lost=2, reordered=1).violations("ours") == ["ours: 2 lost", "ours: 1 reordered"]
    assert Verdict().violations("ours") == []
    assert Verdict().faultless
    assert not Verdict(unknown=1).faultless
