"""The chaos run on a giosg desk in its short form; the long one is ``python -m tests.bench.giosg_chaos``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.giosg_fire.play import Plan, play
from tests.bench.giosg_fire.trouble import FAULTS, KILLED, MODES, OUTAGES
from tests.conftest import TIME_FACTOR

pytestmark = pytest.mark.alone

SECONDS = 12.0
TEXTS_MIN = 15
TROUBLES_MIN = len(KILLED) + len(FAULTS) + len(MODES) + len(OUTAGES)


async def test_nothing_is_lost_doubled_or_reordered_while_everything_around_a_desk_breaks(tmp_path: Path) -> None:
    plan = Plan(
        at_once=4,
        messages=4,
        seconds=SECONDS,
        outage_s=1.0,
        haste=10.0,
        patience_s=5.0,
        settle_s=180.0 * TIME_FACTOR,
        after_s=1.0,
    )
    played = await play(plan, tmp_path)
    assert played.verdict.clean, (played.verdict.faults, played.verdict.examples, played.broken)
    assert played.written >= TEXTS_MIN
    assert played.answers > 0
    assert played.kills >= len(KILLED)
    assert played.troubles >= TROUBLES_MIN
