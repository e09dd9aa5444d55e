from __future__ import annotations

import pytest

from broker.domain.lateness import Lateness, lateness_of


@pytest.mark.parametrize(
    ("late_ms", "expected"),
    [
        pytest.param([], None, id="nothing has no figures"),
        pytest.param([7], Lateness(1, 7, 7, 7), id="one value is all of them"),
        pytest.param(list(range(1, 101)), Lateness(100, 50, 99, 100), id="a hundred, in order"),
        pytest.param([300, 100, 200], Lateness(3, 200, 300, 300), id="the order does not matter"),
        pytest.param([0] * 999 + [900], Lateness(1000, 0, 0, 900), id="one straggler is the maximum alone"),
    ],
)
def test_lateness_is_told_by_values_that_occurred(late_ms: list[int], expected: Lateness | None) -> None:
    assert lateness_of(late_ms) == expected
