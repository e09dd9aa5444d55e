"""`heimdall bench route`: how many messages a second one process routes, against its peers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from broker.cli.bench import crowd as load
from broker.cli.bench.checker import check
from broker.cli.bench.contests import BARE, BEST_FASTSTREAM, FASTSTREAM, OURS, absent, link, running_contestant
from broker.cli.bench.crowd import Crowd, Message, lanes, marked
from broker.cli.bench.process import running
from broker.cli.bench.progress import Show
from broker.cli.bench.report import Bar, Report
from broker.cli.bench.spread import Spread
from broker.cli.bench.stage import SETTLE_S, Stage, open_stage
from broker.domain.ids import OrgId
from broker.transport.reader import StoredMessage
from broker.transport.topology import DEADLETTER_STREAM, DELIVERIES

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


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one contestant."""

    rate: float
    cpu_us: float
    violations: list[str]


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
    """Link, store or begin to publish, route, check."""
    await stage.clear()
    crowd = Crowd(OrgId(str(uuid4())), settings.sessions)
    await link(stage, name, crowd)
    count = settings.warmup + settings.msgs
    messages = load.plan(range(settings.sessions), count, seed=repetition)
    if not settings.live:
        with stage.show.doing(f"{name}: storing {count} messages"):
            await load.say(stage.publisher, crowd, messages, settings.size)
    after = await stage.last_sequence(DELIVERIES)
    async with running_contestant(stage, name, crowd) as process:
        if settings.live:
            await _publish_beside(stage, crowd, settings, repetition)
        what = f"{name}: routing, turn {repetition + 1}"
        warm = await stage.wait_for(DELIVERIES, settings.warmup, process, what)
        begun_s = process.cpu_s()
        done = await stage.wait_for(DELIVERIES, count, process, what)
        cpu_s = process.cpu_s() - begun_s
        await asyncio.sleep(SETTLE_S)
    violations = [f"{name}: {count} dead letters" for count in [await stage.stored(DEADLETTER_STREAM)] if count]
    outputs = await stage.read(DELIVERIES, after=after)
    verdict = check(lanes(messages), map(_seen, outputs))
    violations += verdict.violations(f"{name}, turn {repetition + 1}")
    rate = 0.0 if violations else rate_of(outputs, settings.warmup)
    return Turn(rate, cpu_s / max(1, done - warm) * 1e6, violations)


async def _publish_beside(stage: Stage, crowd: Crowd, settings: RouteSettings, repetition: int) -> None:
    """A process of its own publishes the same messages while they are routed; returns when they are all stored."""
    arguments = [
        stage.url,
        *(crowd.org, str(crowd.sessions), str(settings.warmup + settings.msgs), str(repetition), str(settings.size)),
    ]
    async with running("visitors", "broker.cli.bench.visitors", stage.folder, arguments=arguments) as visitors:
        await visitors.wait()


def rate_of(outputs: Sequence[StoredMessage], warmup: int) -> float:
    """Outputs a second by the server's own timestamps, after the warm-up."""
    counted = outputs[warmup:]
    took_ms = counted[-1].stored_at_ms - counted[0].stored_at_ms
    return (len(counted) - 1) * 1000 / max(1, took_ms)


def _seen(output: StoredMessage) -> tuple[int, int]:
    found = marked(output.data) or Message(-1, -1)
    return found.session, found.number


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
