"""The chaos suite in its short form: real processes killed under traffic, and a checker that reads everything.

The long form is `heimdall bench chaos`; both play the same scenarios with the same checker.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.bench.chaos.play import play
from broker.cli.bench.chaos.scenarios import BY_NAME, SCENARIOS, short
from tests.conftest import TIME_FACTOR

pytestmark = pytest.mark.alone

SEED = 4711
LATE_MS_MAX = round(3_000 * TIME_FACTOR)
"""Half a second is the bar of the long form: tests must not depend on the speed of the machine."""
EXPIRED_MIN = 20


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
async def test_nothing_is_lost_doubled_reordered_or_falsely_expired_when(name: str, tmp_path: Path) -> None:
    played = await play(
        short(BY_NAME[name]), tmp_path, seed=SEED, report=lambda _sent, _kills: None, late_ms_max=LATE_MS_MAX
    )
    assert played.verdict.clean, (played.seed, dict(played.verdict.faults), played.verdict.examples)
    expired = [event for event in played.book.events if event.kind == "stubsession.expired"]
    assert len(expired) >= EXPIRED_MIN, "a run in which hardly a link expired shows nothing"
    assert played.kills == played.scenario.kills_in_all
    assert played.scenario.garbage_share == 0 or played.garbage
