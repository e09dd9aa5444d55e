"""What a benchmark says at the end: a table for people, one JSON object for machines; after a violation no figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import typer
from rich.text import Text

from broker.cli.terminal import Columns, Terminal

EXIT_VIOLATION = 1
INDENT = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """What was to be reached, and whether it was."""

    what: str
    wanted: str
    measured: str
    reached: bool


@dataclass(slots=True)
class Report:
    """One benchmark's outcome; ``figures`` is for JSON, ``headings`` and ``rows`` are the table of the same."""

    benchmark: str
    machine: Mapping[str, str]
    settings: Mapping[str, object]
    headings: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        found = {"benchmark": self.benchmark, "machine": dict(self.machine), "settings": dict(self.settings)}
        if self.violations:
            return {**found, "violations": self.violations}
        bars = [
            {"what": bar.what, "wanted": bar.wanted, "measured": bar.measured, "reached": bar.reached}
            for bar in self.bars
        ]
        return {**found, "violations": [], "figures": self.figures, "bars": bars, "notes": self.notes}


def finish(report: Report, out: Terminal) -> None:
    """Show it, and end with exit code 1 if anything was violated."""
    if out.as_json:
        out.record(report.record())
    else:
        _show(report, out)
    if report.violations:
        raise typer.Exit(EXIT_VIOLATION)


def _show(report: Report, out: Terminal) -> None:
    out.text(Text(f"heimdall bench {report.benchmark}", "bold"))
    for facts in (report.machine, report.settings):
        _aside(", ".join(f"{name} {value}" for name, value in facts.items()), out)
    out.text("")
    if report.violations:
        for violation in report.violations:
            out.text(Text.assemble(("violation  ", "bold red"), violation))
        out.text("A run with a violation has no figures.")
        return
    table = Columns(*report.headings, flexible=report.headings[0])
    for row in report.rows:
        table.add(*row)
    out.columns(table)
    for bar in report.bars:
        style, word = ("green", "reached") if bar.reached else ("yellow", "missed ")
        out.text(Text.assemble((f"{word}  ", style), f"{bar.what}: {bar.measured} (bar: {bar.wanted})"))
    for note in report.notes:
        _aside(note, out)


def _aside(text: str, out: Terminal) -> None:
    """Unobtrusive, broken between words."""
    for line in wrap(text, out.console.width - INDENT):
        out.aside(line)
