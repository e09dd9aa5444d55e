"""One turn: a load is stored or published meanwhile, one contestant routes it, and the checker reads what came out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from broker.cli.bench import crowd as load
from broker.cli.bench.checker import check
from broker.cli.bench.contests import running_contestant
from broker.cli.bench.crowd import Crowd, Message, lanes, marked
from broker.cli.bench.process import running
from broker.cli.bench.stage import SETTLE_S, Stage
from broker.transport.reader import StoredMessage
from broker.transport.topology import DEADLETTER_STREAM, DELIVERIES


@dataclass(frozen=True, slots=True)
class Load:
    """What the visitors of one turn say; the first ``warmup`` outputs do not count."""

    crowd: Crowd
    messages: Sequence[Message]
    size: int
    warmup: int
    seed: int
    live: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to; no rate where something was violated."""

    rate: float
    cpu_us: float
    resident_mib: float
    violations: list[str]


async def take_turn(stage: Stage, name: str, said: Load, what: str) -> Turn:
    """Route one load, from its first to its last stored run; the sessions are linked already."""
    count = len(said.messages)
    if not said.live:
        with stage.show.doing(f"{what}: storing {count} messages"):
            await load.say(stage.publisher, said.crowd, said.messages, said.size, seed=said.seed)
    after = await stage.last_sequence(DELIVERIES)
    before = await stage.stored(DELIVERIES)
    async with running_contestant(stage, name, said.crowd) as process:
        if said.live:
            await _publish_beside(stage, said)
        warm = await stage.wait_for(DELIVERIES, before + said.warmup, process, f"{what}: warm-up")
        begun_s = process.cpu_s()
        done = await stage.wait_for(DELIVERIES, before + count, process, f"{what}: routing")
        cpu_us = (process.cpu_s() - begun_s) / max(1, done - warm) * 1e6
        resident_mib = process.resident_mib()
        await asyncio.sleep(SETTLE_S)
    outputs = await stage.read(DELIVERIES, after=after)
    violations = check(lanes(said.messages), map(_seen, outputs)).violations(what)
    if dead := await stage.stored(DEADLETTER_STREAM):
        violations.append(f"{what}: {dead} dead letters")
    return Turn(0.0 if violations else rate_of(outputs, said.warmup), cpu_us, resident_mib, violations)


async def _publish_beside(stage: Stage, said: Load) -> None:
    """A process of its own publishes the same messages while they are routed; returns when they are all stored."""
    numbers = (said.crowd.sessions, len(said.messages), said.seed, said.size)
    arguments = [stage.url, said.crowd.org, *map(str, numbers)]
    async with running("visitors", "broker.cli.bench.visitors", stage.folder, arguments=arguments) as visitors:
        await visitors.wait()


def rate_of(outputs: Sequence[StoredMessage], warmup: int) -> float:
    """Outputs a second by the server's own timestamps, after the warm-up."""
    counted = outputs[warmup:]
    if len(counted) < 2:
        return 0.0
    took_ms = counted[-1].stored_at_ms - counted[0].stored_at_ms
    return (len(counted) - 1) * 1000 / max(1, took_ms)


def _seen(output: StoredMessage) -> tuple[int, int]:
    found = marked(output.data) or Message(-1, -1)
    return found.session, found.number
