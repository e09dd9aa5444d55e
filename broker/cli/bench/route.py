"""`heimdall bench route`: how many messages a second one process routes, against its peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from broker.cli.bench import crowd as load
from broker.cli.bench.contests import BARE, BEST_FASTSTREAM, FASTSTREAM, OURS, absent, link
from broker.cli.bench.crowd import Crowd
from broker.cli.bench.progress import Show
from broker.cli.bench.report import Bar, Report
from broker.cli.bench.spread import Spread
from broker.cli.bench.stage import Stage, open_stage
from broker.cli.bench.turns import Load, Turn, take_turn
from broker.domain.ids import OrgId

BAR_OF_BARE = 0.85
BAR_OF_FASTSTREAM = 8.0
HEADINGS = ("contestant", "messages/s", "least", "greatest", "processor µs each", "turns")


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """What is measured; the first ``warmup`` outputs of a turn do not count."""

    msgs: int
    size: int
    sessions: int
    repeat: int
    warmup: int
    live: bool
    contestants: Sequence[str]

    def record(self) -> dict[str, object]:
        """For the report."""
        form = "while they are published" if self.live else "stored before"
        return {
            "msgs": self.msgs,
            "size": f"{self.size} B",
            "sessions": self.sessions,
            "repeat": self.repeat,
            "warm-up": self.warmup,
            "messages": form,
        }


async def measure(settings: RouteSettings, show: Show) -> Report:
    """Every contestant in turn, and again: what disturbs the machine for a while disturbs them all."""
    async with open_stage(show) as stage:
        report = Report("route", stage.machine(), settings.record(), headings=HEADINGS)
        missing = {name: absent(name) for name in settings.contestants}
        report.notes += [reason for reason in missing.values() if reason]
        turns: dict[str, list[Turn]] = {name: [] for name, reason in missing.items() if not reason}
        for repetition in range(settings.repeat):
            for name, done in turns.items():
                done.append(await _turn(stage, name, settings, repetition))
                report.violations += done[-1].violations
                if report.violations:
                    return report
    _fill(report, turns)
    return report


async def _turn(stage: Stage, name: str, settings: RouteSettings, repetition: int) -> Turn:
    """A fresh org, its sessions linked, and its messages."""
    await stage.clear()
    crowd = Crowd(OrgId(str(uuid4())), settings.sessions)
    await link(stage, name, crowd)
    messages = load.plan(range(settings.sessions), settings.warmup + settings.msgs, seed=repetition)
    load_of = Load(crowd, messages, settings.size, settings.warmup, seed=repetition, live=settings.live)
    return await take_turn(stage, name, load_of, f"{name}, turn {repetition + 1}")


def _fill(report: Report, turns: dict[str, list[Turn]]) -> None:
    rates = {name: Spread.of([turn.rate for turn in done]) for name, done in turns.items()}
    for name, done in turns.items():
        cpu = Spread.of([turn.cpu_us for turn in done])
        report.rows.append((name, *rates[name].cells(), f"{cpu.median:,.0f}", str(len(done))))
        report.figures[name] = {"messages_per_s": rates[name].record(), "processor_us_each": cpu.record()}
    ours = rates.pop(OURS).median
    for name, peers in rates.items():
        ratio = ours / peers.median
        wanted = BAR_OF_BARE if name == BARE else BAR_OF_FASTSTREAM
        report.figures[f"ours_to_{name}"] = round(ratio, 3)
        report.bars.append(Bar(f"ours / {name}", f">= {wanted:g}", f"{ratio:.2f}", ratio >= wanted))
    if FASTSTREAM in rates:
        report.notes.append(f"FastStream with its setting {BEST_FASTSTREAM!r}, the fastest that keeps order")
