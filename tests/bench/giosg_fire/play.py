"""Plays a chaos run: visitors and agents under trouble, then quiet until all is carried over, then the checker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import BackboneError
from broker.transport.connection import Connection, connect
from broker.transport.topology import CONVERSATIONS, DELIVERIES, WEBHOOK_STREAM
from tests.bench.giosg_fire.agents import Agents
from tests.bench.giosg_fire.checker import RunSeen, Verdict, judge
from tests.bench.giosg_fire.leftovers import run_seen
from tests.bench.giosg_fire.stage import RECONCILE_S, Stage, staged
from tests.bench.giosg_fire.trouble import Trouble
from tests.bench.giosg_fire.visitors import Habits, Visitors, visiting

SETTLE_S = 180.0
HOPELESS_S = 45.0
"""Three rounds of reconciliation in which nothing came and nothing waits: what is missing will not come."""
ANSWERED_S = 60.0
LOOK_S = 0.5
AFTER_S = RECONCILE_S + 3.0
"""Once all is there, one more round of reconciliation, which must not double anything."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is played: ``at_once`` visitors at a time, each of so many messages, for so long under trouble.

    ``outage_s``: how long giosg, the workers and the server are away at most. ``after_s``: how long is waited, once
    everything is there, for what should not come.
    """

    at_once: int = 16
    messages: int = 6
    seconds: float = 60.0
    seed: int = 4711
    outage_s: float = 10.0
    haste: float = 1.0
    patience_s: float = 25.0
    settle_s: float = SETTLE_S
    after_s: float = AFTER_S


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it; times in seconds."""

    plan: Plan
    verdict: Verdict
    conversations: int
    chats: int
    written: int
    answers: int
    webhooks: int
    calls: int
    kills: int
    broken: Mapping[str, int]
    settled_s: float

    @property
    def troubles(self) -> int:
        """How much was broken in all."""
        return sum(self.broken.values())


async def play(plan: Plan, folder: Path) -> Played:
    """One run, from the start of the processes to the verdict."""
    habits = Habits(plan.at_once, plan.messages, plan.seconds, plan.patience_s)
    async with staged(folder) as stage, visiting(stage, habits, plan.seed) as visitors:
        trouble = Trouble(stage, plan.seed, outage_s=plan.outage_s, haste=plan.haste)
        agents, stop, over = Agents(stage.giosg, plan.seed), asyncio.Event(), asyncio.Event()
        await trouble.calm()
        working = asyncio.create_task(agents.work(over))
        breaking = asyncio.create_task(trouble.make(stop))
        try:
            await visitors.come()
        finally:
            stop.set()
        await breaking
        await _answered(agents)
        over.set()
        await working
        began_s = time.monotonic()
        seen = await _settled(stage, visitors, plan)
        return await _played(plan, stage, seen, trouble, time.monotonic() - began_s)


async def _answered(agents: Agents) -> None:
    """Return once agents have said anything at all: in a short run nothing may have come through until now."""
    deadline_s = time.monotonic() + ANSWERED_S
    while time.monotonic() < deadline_s:
        if agents.said:
            return
        await asyncio.sleep(LOOK_S)


async def _settled(stage: Stage, visitors: Visitors, plan: Plan) -> RunSeen:
    """What is left once nothing is missing and nothing waits, or the time is up; and after a while to spare."""
    deadline_s = time.monotonic() + plan.settle_s
    last, hopeless_s = None, deadline_s
    async with connect(stage.server.url, name="chaos") as connection:
        while time.monotonic() < min(deadline_s, hopeless_s):
            is_quiet, seen = await _is_quiet(connection), await run_seen(connection, stage.giosg, visitors.routes)
            if is_quiet and judge(seen).clean:
                break
            if not is_quiet or seen != last:
                last, hopeless_s = seen, time.monotonic() + HOPELESS_S
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(plan.after_s)
        return await run_seen(connection, stage.giosg, visitors.routes)


async def _is_quiet(connection: Connection) -> bool:
    """Whether nothing waits in any consumer."""
    try:
        for stream in (CONVERSATIONS, DELIVERIES, WEBHOOK_STREAM):
            for consumer in (await connection.ask(f"CONSUMER.LIST.{stream}")).get("consumers") or []:
                if "durable_name" in consumer["config"] and (consumer["num_pending"] or consumer["num_ack_pending"]):
                    return False
    except BackboneError:
        return False
    return True


async def _played(plan: Plan, stage: Stage, seen: RunSeen, trouble: Trouble, settled_s: float) -> Played:
    return Played(
        plan,
        judge(seen),
        conversations=len(seen.conversations),
        chats=len(seen.chats),
        written=sum(len(one.written) for one in seen.conversations.values()),
        answers=sum(len(chat.agents) for chat in seen.chats),
        webhooks=len(await stage.giosg.deliveries()),
        calls=len(await stage.giosg.calls()),
        kills=trouble.kills,
        broken=dict(sorted(trouble.broken.items())),
        settled_s=settled_s,
    )
