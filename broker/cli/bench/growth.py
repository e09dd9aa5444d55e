"""`heimdall bench growth`: what a message costs with a thousand sessions in the buckets, and with a million."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from broker.cli.bench import crowd as load
from broker.cli.bench.contests import OURS
from broker.cli.bench.crowd import CHANNEL, CHAT, LINK_HOURS, Crowd
from broker.cli.bench.progress import Show
from broker.cli.bench.report import Bar, Report
from broker.cli.bench.spread import Spread
from broker.cli.bench.stage import Stage, open_stage
from broker.cli.bench.turns import Load, Turn, take_turn
from broker.codec import encode
from broker.domain.ids import OrgId, Stub
from broker.domain.session import MS_PER_HOUR, Link, State
from broker.domain.sessions import SessionRecord
from broker.domain.stubsessions import StateRecord, session_key
from broker.domain.wire import dump
from broker.transport.topology import CONVERSATIONS, DELIVERIES, SESSIONS, STUBSESSIONS

BAR = 1.15
SETTLED_FROM = 100_000
SETTLE_S = 30.0
"""A server goes on for a while with a million subjects that came at once: its index, and its collector."""
HEADINGS = ("sessions", "active", "µs a message", "least", "greatest", "processor µs", "linker MiB", "turns")


@dataclass(frozen=True, slots=True)
class GrowthSettings:
    """What is measured: the same messages over ``few`` sessions and over ``many``."""

    msgs: int
    size: int
    few: int
    many: int
    repeat: int

    def record(self) -> dict[str, object]:
        """For the report."""
        return {
            "msgs": self.msgs,
            "size": f"{self.size} B",
            "sessions": f"{self.few} and {self.many}",
            "repeat": self.repeat,
            "warm-up": 2 * self.few,
        }


@dataclass(frozen=True, slots=True)
class Form:
    """One row: so many sessions exist, and these are active."""

    key: str
    existing: int
    active: Sequence[int]
    words: str


async def measure(settings: GrowthSettings, show: Show) -> Report:
    """Two servers, so that turns with few and with many alternate; only one of them is at work at a time."""
    chance = random.Random(0)  # noqa: S311 - a choice of sessions, no secret
    same = sorted(chance.sample(range(settings.many), settings.few))
    few = Form("few", settings.few, range(settings.few), f"{settings.few}")
    forms = (
        few,
        Form("many_same_active", settings.many, same, f"{settings.few} of them"),
        Form("many_all_active", settings.many, range(settings.many), "at random"),
    )
    async with open_stage(show) as small, open_stage(show) as large:
        report = Report("growth", small.machine(), settings.record(), headings=HEADINGS)
        crowds = {form.existing: Crowd(OrgId(str(uuid4())), form.existing) for form in forms}
        stages = {settings.many: large, settings.few: small}
        for existing, crowd in crowds.items():
            await _fill_buckets(stages[existing], crowd)
        with show.doing("letting the servers put away what was written"):
            await asyncio.sleep(SETTLE_S if settings.many >= SETTLED_FROM else 0)
        turns: dict[str, list[Turn]] = {form.key: [] for form in forms}
        for repetition in range(settings.repeat):
            for form in forms:
                stage, seed = stages[form.existing], repetition * len(forms) + forms.index(form)
                turns[form.key].append(await _turn(stage, crowds[form.existing], form, settings, seed))
                report.violations += turns[form.key][-1].violations
                if report.violations:
                    return report
    _fill(report, forms, turns)
    return report


async def _fill_buckets(stage: Stage, crowd: Crowd) -> None:
    """Write each session's record and its state, linked for a day, past the linker: in bulk."""
    now_ms = int(time.time() * 1000)
    session = SessionRecord(channel=CHANNEL, org=crowd.org, chat_name=CHAT, created_at_ms=now_ms)
    link = Link(Stub.parse(crowd.stub(0)), None, 1, now_ms + round(LINK_HOURS * MS_PER_HOUR), LINK_HOURS)
    known = encode(dump(session))
    state = encode(dump(StateRecord.of(crowd.path, State(link=link, opened=True))))
    acks = []
    with stage.show.doing(f"writing {crowd.sessions} sessions", crowd.sessions) as advance:
        for number in range(crowd.sessions):
            name = crowd.session(number)
            acks.append(await stage.publisher.submit(f"$KV.{SESSIONS}.{name}", known))
            acks.append(await stage.publisher.submit(f"$KV.{STUBSESSIONS}.{session_key(crowd.org, name)}", state))
            if len(acks) >= load.CHUNK:
                await load.in_chunks(acks)
                acks.clear()
                advance(number)
        await load.in_chunks(acks)


async def _turn(stage: Stage, crowd: Crowd, form: Form, settings: GrowthSettings, seed: int) -> Turn:
    for stream in (CONVERSATIONS, DELIVERIES):
        await stage.connection.ask(f"STREAM.PURGE.{stream}")
    warmup = 2 * settings.few
    messages = load.plan(form.active, warmup + settings.msgs, seed)
    what = f"{form.existing} sessions, {form.words} active"
    return await take_turn(stage, OURS, Load(crowd, messages, settings.size, warmup, seed), what)


def _fill(report: Report, forms: Sequence[Form], turns: dict[str, list[Turn]]) -> None:
    medians = {}
    for form in forms:
        done = turns[form.key]
        cost = Spread.of([1e6 / turn.rate for turn in done])
        cpu = Spread.of([turn.cpu_us for turn in done])
        memory = Spread.of([turn.resident_mib for turn in done])
        medians[form.key] = cost.median
        middle = (f"{cpu.median:,.0f}", f"{memory.greatest:,.0f}")
        report.rows.append((f"{form.existing:,}", form.words, *cost.cells(), *middle, str(len(done))))
        report.figures[form.key] = {
            "us_a_message": cost.record(),
            "processor_us": cpu.record(),
            "linker_mib": memory.record(),
        }
    few, same, all_of_them = (medians[form.key] for form in forms)
    report.figures["ratio_same_active"] = round(same / few, 3)
    report.figures["ratio_all_active"] = round(all_of_them / few, 3)
    report.bars.append(Bar("cost, same number active", f"<= {BAR:g}", f"{same / few:.2f}", same / few <= BAR))
    report.notes.append(
        f"all active at random: {all_of_them / few:.2f}; there most messages find a session that must be read first"
    )
    report.notes.append("records and states were written in bulk, past the linker; the routing is the real linker's")
