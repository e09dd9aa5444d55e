"""Two processes of one service: they share its stubs, and each stub's runs stay one after another, each once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from broker.codec import encode
from broker.domain.ids import ActionName, OrgId, ServiceName, Stub, stubref
from broker.domain.subjects import DeliverySubject
from broker.kit.bus import ServiceBus
from broker.kit.records import StubRecord, stubs_bucket
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.partitions import partitions
from broker.transport.publisher import Publisher
from tests.conftest import poll
from tests.processes import service_process

PROGRAM = """
import asyncio
from broker import Run, Service
from broker.kit.main import serve

service = Service("counter")


@service.action("count")
async def count(run: Run) -> None:
    await asyncio.sleep(0.005)
    run.memory["seen"] = [*run.memory.get("seen", []), run.message]


serve(service)
"""
SERVICE = ServiceName("counter")
STUBS = 24
RUNS = 40


class Counters:
    """The stubs of the service, from outside."""

    def __init__(self, connection: Connection, publisher: Publisher, org: str) -> None:
        self.org = OrgId(org)
        self.stubs = [Stub(SERVICE, stubref(f"counter-{number}")) for number in range(STUBS)]
        self._bus = ServiceBus(connection, publisher, self.org, SERVICE)
        self._connection = connection
        self._publisher = publisher

    async def make(self) -> None:
        """Make the stubs."""
        await ensure_bucket(self._connection, stubs_bucket(SERVICE))
        for stub in self.stubs:
            await self._bus.create(
                stub, StubRecord(stubref=stub.ref, context="default", branch="draft", created_at_ms=1)
            )

    async def run_all(self) -> None:
        """Publish every stub's runs, a little apart."""
        for number in range(RUNS):
            for stub in self.stubs:
                subject = str(DeliverySubject(self.org, stub, ActionName("count")))
                await self._publisher.store(subject, encode({"stubpost": {"message": str(number)}}))
            await asyncio.sleep(0.02)

    async def seen(self) -> list[Any]:
        """What each stub has counted."""
        records = [(await self._bus.load(stub))[0] for stub in self.stubs]
        return [record.data.get("seen", []) for record in records if record is not None]

    async def owners(self) -> list[int]:
        """The process of each partition of the service that has one."""
        found = await partitions(self._connection, self._publisher)
        group = f"service-{self.org}-{SERVICE}"
        return [one.owner.pid for one in found if one.group == group and one.owner is not None]


async def test_two_processes_of_a_service_share_its_stubs_and_one_killed_costs_no_run_and_doubles_none(
    server: EmbeddedServer, connection: Connection, publisher: Publisher, org: str, tmp_path: Path
) -> None:
    program = tmp_path / "counter.py"
    program.write_text(PROGRAM, encoding="utf-8")
    counters = Counters(connection, publisher, org)
    await counters.make()
    with ExitStack() as processes:
        first, second = [
            (await asyncio.to_thread(processes.enter_context, service)).pid
            for service in (service_process(program, server.url, HEIMDALL_COUNTER_ORG=org) for _ in range(2))
        ]

        async def shared() -> bool:
            return sorted(await counters.owners()) == sorted([first, first, second, second])

        await poll(shared)
        running = asyncio.create_task(counters.run_all())
        await asyncio.sleep(0.5)
        os.kill(first, signal.SIGKILL)
        await running
        await poll(lambda: _all_seen(counters), within_s=20)
        assert await counters.owners() == [second] * 4


async def _all_seen(counters: Counters) -> bool:
    seen = await counters.seen()
    expected = [str(number) for number in range(RUNS)]
    assert all(each == expected[: len(each)] for each in seen), "a run came twice, or out of order"
    return all(each == expected for each in seen)
