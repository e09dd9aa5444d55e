"""`heimdall timers`: how many deadlines are armed, which come next, and how late the last ones were."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.event_line import SESSION_SHOWN
from broker.cli.options import AsJson, NatsUrl, nats_url_of, org_of
from broker.cli.terminal import Columns, Terminal, date_and_time, duration
from broker.domain.ids import OrgId
from broker.domain.lateness import Lateness
from broker.domain.subjects import TimerKind
from broker.transport.connection import Connection
from broker.transport.schedules import Armed, Schedule, Told, armed, last_told

NAME = "timers"
READ_MAX = 500_000
"""Schedules of one kind that are read to find the soonest: some seven seconds."""
SOON_S = 60
LATE_MS_MAX = 500
"""More than this, in quiet running, is late (design.md section 7)."""
WATCH_EVERY_S = 1.0
WATCH_REST = 4
"""Watching rests so many times as long as it reads, so it never burdens the server much."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; ``org`` None means every org."""

    org: OrgId | None
    count: int
    last: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the timers."""

    armed: Armed
    told: Told
    at_ms: int
    took_s: float


def command(
    *,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Show so many of the next due.")] = 10,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="Lateness of so many of the last timeouts.")] = 1000,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")] = False,
    org: Annotated[str | None, typer.Option(help="Only this org's uuid; else every org.")] = None,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Show the timers: armed, next due, and how late the last were.

    It only reads, and never on the way that messages take.

    Example: heimdall timers --count 20 --watch
    """
    wanted = Wanted(None if org is None else org_of(org), count, last)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(nats_url_of(nats_url), wanted, Terminal(as_json=as_json), watch=watch))


async def _run(url: str, wanted: Wanted, out: Terminal, *, watch: bool) -> None:
    async with connected(url) as connection:
        look = await _look(connection, wanted)
        if not watch:
            out.record(_record(look)) if out.as_json else out.console.print(_page(look, out.console.width))
            return
        with contextlib.nullcontext() if out.as_json else Live(console=out.console, auto_refresh=False) as live:
            while True:
                if live is None:
                    out.record(_record(look))
                else:
                    live.update(_page(look, out.console.width), refresh=True)
                await asyncio.sleep(max(WATCH_EVERY_S, WATCH_REST * look.took_s))
                look = await _look(connection, wanted)


async def _look(connection: Connection, wanted: Wanted) -> Look:
    started_s = time.monotonic()
    at_ms = time.time_ns() // 1_000_000
    found = await armed(connection, wanted.org, count=wanted.count, read_max=READ_MAX, now_ms=at_ms)
    told = await last_told(connection, wanted.org, count=wanted.last, since_ms=None)
    return Look(found, told, at_ms, time.monotonic() - started_s)


def _record(look: Look) -> dict[str, Any]:
    found, told = look.armed, look.told
    return {
        "at_ms": look.at_ms,
        "armed": found.counts,
        "read": found.read,
        "overdue": found.overdue,
        "next_due": [
            {
                "timer": schedule.kind,
                "session": schedule.conversation.log_id,
                "org": schedule.conversation.path.org,
                "epoch": schedule.epoch,
                "at_ms": schedule.at_ms,
                "left_s": round((schedule.at_ms - look.at_ms) / 1000, 3),
            }
            for schedule in found.soonest
        ],
        "late": {kind: None if late is None else asdict(late) for kind, late in told.lateness.items()},
        "late_since_ms": told.since_ms,
        "took_s": round(look.took_s, 3),
    }


def _page(look: Look, width: int) -> Group:
    found, told = look.armed, look.told
    counts = "   ".join(f"{kind} {count:,}" for kind, count in found.counts.items())
    overdue = (f"   {found.overdue:,} overdue", "bold red") if found.overdue else ("   none overdue", "green")
    lines = [Text.assemble(("armed     ", "bold yellow"), counts, overdue)]
    lines += [_late_line(kind, late) for kind, late in told.lateness.items() if late is not None]
    if told.since_ms is None:
        lines.append(Text.assemble(("late      ", "bold yellow"), ("no timeout is in the log", "dim")))
    else:
        lines.append(Text(f"          oldest of these: {date_and_time(told.since_ms)}", "dim"))
    if found.read < sum(found.counts.values()):
        lines.append(Text(f"          next due among the {found.read:,} that were read", "dim"))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    if not found.soonest:
        return Group(*lines)
    return Group(*lines, Text(), _table(found.soonest, look.at_ms).lines(width))


def _late_line(kind: TimerKind, late: Lateness) -> Text:
    style = "bold red" if late.p99_ms > LATE_MS_MAX else "green"
    return Text.assemble(
        ("late      ", "bold yellow"),
        (f"{kind}  p50 {late.p50_ms} ms, p99 {late.p99_ms} ms, max {late.max_ms} ms", style),
        (f"  last {late.count:,}", "dim"),
    )


def _table(soonest: tuple[Schedule, ...], now_ms: int) -> Columns:
    table = Columns("next due", "left", "session", "timer", "epoch", "chat", flexible="chat")
    for schedule in soonest:
        left_s = (schedule.at_ms - now_ms) / 1000
        table.add(
            Text(date_and_time(schedule.at_ms), "dim"),
            Text(duration(left_s), "yellow" if left_s < SOON_S else "green"),
            Text(schedule.conversation.log_id[:SESSION_SHOWN], "magenta"),
            schedule.kind,
            "" if schedule.epoch is None else str(schedule.epoch),
            schedule.conversation.path.chat,
        )
    return table
