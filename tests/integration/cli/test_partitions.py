"""`heimdall partitions`: owners, lag, and what nobody works on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from broker.domain.subjects import NOTIFICATIONS
from broker.runtime.deadletters import DeadLetters, Original
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.runtime.loop import Work, consume, token_after
from broker.transport.connection import connect
from broker.transport.ensure import ensure, ensure_consumers
from broker.transport.publisher import open_publisher
from broker.transport.topology import CONVERSATIONS, DELIVERIES, linker_consumers, service_consumers
from tests.conftest import Eventually
from tests.integration.cli.conftest import Cli

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"


async def test_each_partition_is_shown_with_its_owner_and_with_what_waits_for_it(
    cli: Cli, tmp_path: Path, eventually: Eventually
) -> None:
    handed_over, stop = asyncio.Event(), asyncio.Event()

    async def hang(_: Original) -> None:
        handed_over.set()
        await asyncio.sleep(3_600)

    async with (
        nats_server(tmp_path) as own,
        connect(own.url, name="linker") as connection,
        open_publisher(connection) as publisher,
    ):
        await ensure(connection)
        names = tuple(spec.name for spec in linker_consumers())
        work = Work(CONVERSATIONS, names, hang, token_after("sessionuuid"))
        working = asyncio.create_task(consume(connection, work, DeadLetters(publisher), stop))
        session = f"{NOTIFICATIONS}.webchat.org.{ORG}.name.draftshop.sessionuuid.s1.webchatmessagetype.message"
        await publisher.store(session, b"one")
        await handed_over.wait()
        found = (await cli("partitions", "--group", "linker", url=own.url)).records
        assert [one["partition"] for one in found] == [*(f"linker-{number}" for number in range(16)), "linker-rest"]
        assert {one["owner"]["worker"] for one in found} == {"linker"}
        assert sum(one["unacknowledged"] for one in found) == 1
        stop.set()
        await working
        await publisher.store(f"{NOTIFICATIONS}.anything", b"two")
        found = (await cli("partitions", url=own.url)).records
        assert {one["owner"] for one in found} == {None}
        assert {one["group"]: one["stream"] for one in found} == {"linker": "CONVERSATIONS", "expiry": "TIMERS"}
        assert sum(one["lag"] + one["unacknowledged"] for one in found if one["group"] == "linker") == 2


async def test_the_partitions_of_a_service_are_shown_as_well(cli: Cli, server: EmbeddedServer, org: str) -> None:
    async with connect(server.url, name="test") as connection:
        specs = service_consumers(org, "demo")
        await ensure_consumers(connection, DELIVERIES, specs)
        found = (await cli("partitions", "--group", f"service-{org}-demo")).records
        for spec in specs:
            await connection.ask(f"CONSUMER.DELETE.{DELIVERIES}.{spec.name}")
    assert [one["partition"] for one in found] == [spec.name for spec in specs]


async def test_a_server_without_any_worker_so_far_shows_nothing_and_says_what_is_missing(
    cli: Cli, tmp_path: Path
) -> None:
    async with nats_server(tmp_path) as own:
        assert (await cli("partitions", url=own.url)).refusal
