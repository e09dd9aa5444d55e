"""The processes of one run: the server or the cluster, and every worker; started, killed, started again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from broker.cli.bench.chaos.processes import WorkerProcess
from broker.cli.bench.chaos.scenarios import SERVER, Scenario
from broker.domain.ids import OrgId
from broker.runtime.cluster import Cluster
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.topology import CONVERSATIONS

SERVICE = "demo"


class Stage:
    """What is running; ``disturbed`` has the spans around the kills."""

    def __init__(self, scenario: Scenario, folder: Path, org: OrgId, server: EmbeddedServer | Cluster) -> None:
        self.url = server.url
        self.disturbed: list[tuple[int, int]] = []
        self.kills = 0
        self._scenario = scenario
        self._server = server
        common = {"HEIMDALL_NATS_URL": server.url, "HEIMDALL_REPLICAS": "3" if scenario.servers > 1 else "1"}
        own = {
            "linker": {
                "HEIMDALL_LINKER_HOLD_S": f"{scenario.hold_s:g}",
                "HEIMDALL_LINKER_HELD_MAX": str(scenario.held_max),
            },
            SERVICE: {"HEIMDALL_DEMO_ORG": org, "HEIMDALL_DEMO_LINK_HOURS": f"{scenario.demo_link_hours:g}"},
        }
        names = [*["linker"] * scenario.linkers, *["expiry"] * scenario.expiry_workers, SERVICE]
        self.workers = [
            WorkerProcess(name, folder / f"{name}-{number}.log", {**common, **own.get(name, {})})
            for number, name in enumerate(names)
        ]

    async def start(self) -> None:
        """Streams first, then every worker; returns when all are ready."""
        async with connect(self.url, name="chaos") as connection:
            await ensure(connection, replicas=self._scenario.servers)
        for worker in self.workers:
            await worker.start()
        await asyncio.gather(*(worker.wait_ready() for worker in self.workers))

    async def stop(self) -> None:
        """End the workers."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    async def hurt(self, chance: random.Random) -> None:
        """Kill every victim as often as the scenario says, each at its own random moments."""
        async with asyncio.TaskGroup() as killers:
            for worker in self.workers:
                if worker.name in self._scenario.victims:
                    killers.create_task(self._hurt_worker(worker, random.Random(chance.random())))  # noqa: S311 - a known seed is the point
            if SERVER in self._scenario.victims:
                killers.create_task(self._hurt_server(chance))

    async def _hurt_worker(self, worker: WorkerProcess, chance: random.Random) -> None:
        for _ in range(self._scenario.kills):
            await asyncio.sleep(chance.uniform(*self._scenario.gap_s))
            with self._disturbance():
                await worker.kill()
                await worker.start()
                await worker.wait_ready()

    async def _hurt_server(self, chance: random.Random) -> None:
        for _ in range(self._scenario.kills):
            await asyncio.sleep(chance.uniform(*self._scenario.gap_s))
            with self._disturbance():
                await self._kill_server()

    async def _kill_server(self) -> None:
        running = self._server
        server = await running.leader_of(CONVERSATIONS) if isinstance(running, Cluster) else running
        await server.kill()
        await asyncio.sleep(self._scenario.away_s)
        await server.start()
        if isinstance(running, Cluster):
            await running.leader_of(CONVERSATIONS)

    @contextlib.contextmanager
    def _disturbance(self) -> Iterator[None]:
        """Nothing is quiet from a kill until some time after the victim works again."""
        self.kills += 1
        begin_ms = _now_ms()
        yield
        self.disturbed.append((begin_ms, _now_ms() + round(self._scenario.unquiet_s * 1000)))


@contextlib.asynccontextmanager
async def staged(scenario: Scenario, folder: Path, org: OrgId) -> AsyncIterator[Stage]:
    """Everything that a scenario needs, ready; ended in order."""
    running = Cluster(folder / "data") if scenario.servers > 1 else nats_server(folder / "data")
    async with running as server:
        stage = Stage(scenario, folder, org, server)
        try:
            await stage.start()
            yield stage
        finally:
            await stage.stop()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
