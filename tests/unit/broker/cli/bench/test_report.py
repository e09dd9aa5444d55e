"""What a benchmark says: figures and bars, or a violation and nothing else."""

from __future__ import annotations

import json

import pytest
import typer

from broker.cli.bench.report import Bar, Report, finish
from broker.cli.bench.spread import Spread, percentile
from broker.cli.terminal import Terminal


def report() -> Report:
    found = Report("route", {"cores": "2"}, {"msgs": 10}, headings=("contestant", "messages/s"))
    found.rows.append(("ours", "12,345"))
    found.figures["ours"] = 12_345
    found.bars.append(Bar("ours / bare", ">= 0.85", "0.90", reached=True))
    return found


def test_figures_come_with_the_machine_the_settings_and_the_bars(capsys: pytest.CaptureFixture[str]) -> None:
    finish(report(), Terminal(as_json=True))
    said = json.loads(capsys.readouterr().out)
    assert said["machine"] == {"cores": "2"}
    assert said["settings"] == {"msgs": 10}
    assert said["figures"] == {"ours": 12_345}
    assert said["bars"][0]["reached"] is True


@pytest.mark.parametrize("as_json", [pytest.param(True, id="JSON"), pytest.param(False, id="table")])
def test_a_run_with_a_violation_has_no_figure(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    broken = report()
    broken.violations.append("ours: 1 lost")
    out = Terminal(as_json=as_json)
    out.as_json = as_json
    with pytest.raises(typer.Exit) as end:
        finish(broken, out)
    said = capsys.readouterr().out
    assert end.value.exit_code == 1
    assert "ours: 1 lost" in said
    assert "345" not in said
    assert "0.90" not in said


def test_the_table_names_the_bars_that_were_reached_and_missed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = report()
    shown.bars.append(Bar("ours / faststream", ">= 8", "7.10", reached=False))
    out = Terminal()
    out.as_json = False
    finish(shown, out)
    said = capsys.readouterr().out
    assert "reached  ours / bare: 0.90 (bar: >= 0.85)" in said
    assert "missed   ours / faststream: 7.10 (bar: >= 8)" in said


def test_the_middle_of_the_turns_counts() -> None:
    assert Spread.of([3.0, 1.0, 9.0]) == Spread(3.0, 1.0, 9.0)
    assert Spread.of([3.0, 1.0, 9.0]).cells() == ("3", "1", "9")


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.5, 50.0, id="half"),
        pytest.param(0.99, 99.0, id="all but one in a hundred"),
        pytest.param(1.0, 100.0, id="all"),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == expected
