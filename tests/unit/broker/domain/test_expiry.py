"""What a fired timer means."""

from __future__ import annotations

import pytest

from broker.domain.expiry import ArmAgain, Due, NothingLeft, look
from broker.domain.ids import Stub
from broker.domain.session import Link, State
from broker.domain.subjects import TimerKind

LINKED = State(link=Link(Stub.parse("demo.A"), None, epoch=7, expires_at_ms=1_000, timeout_hours=1))
HOLDING = State(held=(3, 4), held_until_ms=1_000)


@pytest.mark.parametrize(
    ("state", "timer", "fired_at_ms", "found"),
    [
        pytest.param(None, "link", 1_000, NothingLeft(), id="no state at all"),
        pytest.param(State(), "link", 1_000, NothingLeft(), id="the link is gone"),
        pytest.param(HOLDING, "link", 1_000, NothingLeft(), id="held messages are no link"),
        pytest.param(LINKED, "link", 999, ArmAgain(7, 1_000), id="a millisecond early"),
        pytest.param(LINKED, "link", 1_000, Due(7, 1_000), id="exactly on time"),
        pytest.param(LINKED, "link", 5_000, Due(7, 1_000), id="late"),
        pytest.param(LINKED, "hold", 1_000, NothingLeft(), id="nothing is held"),
        pytest.param(HOLDING, "hold", 999, ArmAgain(3, 1_000), id="held, and early"),
        pytest.param(HOLDING, "hold", 1_000, Due(3, 1_000), id="held for long enough"),
    ],
)
def test_a_firing_means_look_at_the_link(
    state: State | None, timer: TimerKind, fired_at_ms: int, found: NothingLeft | ArmAgain | Due
) -> None:
    assert look(state, timer, fired_at_ms=fired_at_ms) == found
