"""The chaos run on a Webim channel in its short form; the long one is ``python tests/bench/webim_chaos.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.webim_fire.play import Plan, play
from tests.bench.webim_fire.trouble import FAULTS, KILLED
from tests.conftest import TIME_FACTOR

pytestmark = pytest.mark.alone

SECONDS = 14.0
MESSAGES_MIN = 50
TROUBLES_MIN = len(KILLED) + len(FAULTS)


async def test_nothing_is_lost_doubled_or_reordered_while_everything_around_a_channel_breaks(tmp_path: Path) -> None:
    plan = Plan(at_once=6, messages=6, seconds=SECONDS, settle_s=180.0 * TIME_FACTOR)
    played = await play(plan, tmp_path)
    assert played.verdict.clean, (played.verdict.faults, played.verdict.examples, played.broken)
    assert played.messages >= MESSAGES_MIN
    assert played.answers == 2 * played.messages
    assert played.operators > 0
    assert played.kills >= len(KILLED)
    assert sum(played.broken.values()) >= TROUBLES_MIN
