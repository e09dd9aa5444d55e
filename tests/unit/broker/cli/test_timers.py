"""What `heimdall timers` shows on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from broker.cli.timers import Look, _page
from broker.domain.lateness import Lateness
from broker.transport.schedules import Armed, Schedule, Told
from tests.unit.broker.domain.test_replay import PLACE

SOON = Schedule("link", PLACE, at_ms=90_000, epoch=1207)
QUIET = Told({"link": None, "hold": None}, None)
LATE = Told({"link": Lateness(1000, 144, 268, 291), "hold": None}, 1_000)


def shown(armed: Armed, told: Told, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(_page(Look(armed, told, 30_000, 0.1), width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_counts_lateness_and_the_next_due_are_on_one_page() -> None:
    lines = shown(Armed({"link": 100_000, "hold": 2}, 100_002, 0, (SOON,)), LATE)
    assert lines[0] == "armed     link 100,000   hold 2   none overdue"
    assert lines[1] == "late      link  p50 144 ms, p99 268 ms, max 291 ms  last 1,000"
    assert lines[-1].split()[-5:] == ["00:01:00", PLACE.session[:8], "link", "1207", "draftshop"]


def test_what_is_overdue_not_read_or_never_told_is_said() -> None:
    lines = shown(Armed({"link": 9, "hold": 0}, 5, 3, ()), QUIET)
    assert lines[0].endswith("3 overdue")
    assert "no timeout is in the log" in lines[1]
    assert "among the 5 that were read" in lines[2]


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_of_it_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(Armed({"link": 1, "hold": 1}, 2, 0, (SOON,)), LATE, width))) <= width
