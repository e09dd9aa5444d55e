"""`heimdall bench chaos`: every scenario in its long form, one table, exit code 1 on any violation."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from broker.cli.bench.chaos.checker import FAULTS, LATE_MS
from broker.cli.bench.chaos.play import Played, play
from broker.cli.bench.chaos.scenarios import BY_NAME, Scenario, short
from broker.cli.bench.machine import facts
from broker.cli.bench.options import AsJson, NoProgress, Quick, run
from broker.cli.bench.progress import Show
from broker.cli.terminal import Columns, Terminal, note
from broker.errors import InvalidNameError

NAME = "chaos"
SEED = 4711
EXIT_VIOLATION = 1
HEADINGS = ("scenario", "kills", "expired", "lost", "doubled", "reordered", "falsely", "wrong", "late")
"""As many as 80 columns hold; ``falsely``: expired before its time, or never linked."""


def command(
    *,
    only: Annotated[str, typer.Option(help="Scenarios, with commas between.")] = ",".join(BY_NAME),
    seed: Annotated[int, typer.Option(help="Who does what and when; the same seed plays the same.")] = SEED,
    quick: Quick = False,
    no_progress: NoProgress = False,
    as_json: AsJson = False,
) -> None:
    """Kill workers and servers under traffic, and check everything that is left behind.

    500 messages a second over 200 sessions, links set, replaced and expiring all the while; some five minutes.
    Exit code 1 if anything was lost, doubled, reordered, falsely expired or late (0.5 s, in quiet running).

    Example: heimdall bench chaos --only workers,cluster --seed 7
    """
    chosen = [short(scenario) if quick else scenario for scenario in _named(only)]
    out = Terminal(as_json=as_json)
    played = run(_play_all(chosen, seed, Show(wanted=not no_progress)))
    if out.as_json:
        out.record(_record(played, seed))
    else:
        _show(played, seed, out)
    if not all(one.verdict.clean for one in played):
        raise typer.Exit(EXIT_VIOLATION)


def _named(names: str) -> list[Scenario]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted or [""]:
        if name not in BY_NAME:
            raise InvalidNameError("scenario", name, expected=f"one of {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in wanted]


async def _play_all(scenarios: Sequence[Scenario], seed: int, show: Show) -> list[Played]:
    return [await _play_one(scenario, seed, show) for scenario in scenarios]


async def _play_one(scenario: Scenario, seed: int, show: Show) -> Played:
    """In a folder of its own, which is kept where something went wrong: the logs and the streams are the evidence."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"heimdall-chaos-{scenario.name}-"))
    with show.doing(f"{scenario.name}: {scenario.what}", scenario.kills_in_all or None) as advance:
        played = await play(scenario, folder, seed=seed, report=lambda _sent, kills: advance(kills))
    if played.verdict.clean:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    else:
        note(f"{scenario.name}: {folder} keeps the streams and the workers' logs")
    return played


def table(played: Sequence[Played]) -> Columns:
    """One row for each scenario."""
    found = Columns(*HEADINGS, flexible=HEADINGS[0])
    for one in played:
        found.add(*_cells(one))
    return found


def _cells(played: Played) -> tuple[str | Text, ...]:
    faults = [played.verdict.faults[fault] for fault in FAULTS]
    return (
        played.scenario.name,
        str(played.kills),
        str(_count(played, "stubsession.expired")),
        *(Text(str(count), "bold red" if count else "green") for count in faults),
    )


def _aside(played: Played) -> str:
    book = played.book
    return (
        f"{played.scenario.name}: {played.scenario.what}; {len(book.sent)} sent, {len(book.events)} events in the log, "
        f"{len(book.runs)} runs, {_count(played, 'stubsession.linked')} links, {len(book.letters)} dead letters, "
        f"announced p99 {_p99_ms(played)} ms late in quiet running, {played.took_s:.0f} s"
    )


def _show(played: Sequence[Played], seed: int, out: Terminal) -> None:
    out.text(Text("heimdall bench chaos", "bold"))
    out.aside(", ".join(f"{name} {value}" for name, value in facts(played[0].server_version).items()))
    out.aside(", ".join(f"{name} {value}" for name, value in _settings(played, seed).items()))
    out.columns(table(played))
    for one in played:
        out.aside(_aside(one))
        for example in one.verdict.examples:
            out.text(Text.assemble((f"{one.scenario.name}  ", "bold red"), example))


def _record(played: Sequence[Played], seed: int) -> dict[str, Any]:
    return {
        "benchmark": NAME,
        "machine": facts(played[0].server_version),
        "settings": _settings(played, seed),
        "scenarios": [_scenario(one) for one in played],
    }


def _scenario(played: Played) -> dict[str, Any]:
    book, verdict = played.book, played.verdict
    return {
        "scenario": played.scenario.name,
        "what": played.scenario.what,
        "kills": played.kills,
        "garbage": played.garbage,
        "sent": len(book.sent),
        "events": len(book.events),
        "runs": len(book.runs),
        "linked": _count(played, "stubsession.linked"),
        "expired": _count(played, "stubsession.expired"),
        "dead_letters": len(book.letters),
        **{fault: verdict.faults[fault] for fault in FAULTS},
        "p99_late_ms": _p99_ms(played),
        "took_s": round(played.took_s, 1),
        "examples": verdict.examples,
    }


def _settings(played: Sequence[Played], seed: int) -> dict[str, object]:
    scenario = played[0].scenario
    return {
        "seed": seed,
        "sessions": scenario.sessions,
        "messages a second": f"{scenario.rate:g}",
        "linkers": scenario.linkers,
        "expiry workers": scenario.expiry_workers,
        "late after": f"{LATE_MS} ms",
    }


def _count(played: Played, kind: str) -> int:
    return sum(event.kind == kind for event in played.book.events)


def _p99_ms(played: Played) -> int:
    """How late links were announced, in quiet running; 0 where none ran out then."""
    late_ms = sorted(played.verdict.late_ms)
    return late_ms[min(len(late_ms) - 1, int(len(late_ms) * 0.99))] if late_ms else 0
