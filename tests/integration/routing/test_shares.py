"""Several linkers under traffic: whoever joins, leaves, dies or hangs, everything comes once and in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

from broker.domain.subjects import Kind
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.conftest import TIME_FACTOR, poll
from tests.integration.routing.conftest import Chat
from tests.integration.routing.traffic import STUB, Traffic
from tests.processes import free_port, worker_process

SESSIONS = 100
RATE_PER_S = 250
LEASE_S = 2
QUIET_S = 0.5
OTHER_STUB = "svc.C"
MOVED = 20


@asynccontextmanager
async def own_server(data_dir: Path) -> AsyncIterator[tuple[EmbeddedServer, Traffic]]:
    """A server that may be killed, and the traffic of one chat on it."""
    async with (
        nats_server(data_dir, port=free_port()) as server,
        connect(server.url, name="test") as connection,
        open_publisher(connection, timeout_s=1) as publisher,
    ):
        await ensure(connection)
        chat = Chat(connection, publisher, str(uuid4()))
        yield server, Traffic(chat, sessions=SESSIONS, rate_per_s=RATE_PER_S)


async def in_thread(stack: ExitStack, name: str, server: EmbeddedServer) -> int:
    """Start a worker without stopping the traffic meanwhile; its process id."""
    return (await asyncio.to_thread(stack.enter_context, worker_process(name, server.url))).pid


async def test_linkers_that_join_leave_and_die_under_traffic_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    async with own_server(tmp_path) as (server, traffic):
        with ExitStack() as linkers:
            first = await in_thread(linkers, "linker", server)
            await traffic.link_all()
            async with traffic.talking():
                second = await in_thread(linkers, "linker", server)
                await traffic.expect_owners(first, second)
                third = await in_thread(linkers, "linker", server)
                await traffic.expect_owners(first, second, third)
                os.kill(first, signal.SIGTERM)
                await traffic.expect_owners(second, third)
                os.kill(second, signal.SIGKILL)
                await traffic.expect_owners(third)
                await asyncio.sleep(QUIET_S)
            await traffic.expect_everything_once_in_order()


async def test_a_linker_that_was_paused_longer_than_its_lease_does_no_harm_when_it_goes_on(tmp_path: Path) -> None:
    async with own_server(tmp_path) as (server, traffic):
        with ExitStack() as linkers:
            paused = await in_thread(linkers, "linker", server)
            other = await in_thread(linkers, "linker", server)
            await traffic.link_all()
            await traffic.expect_owners(paused, other)
            async with traffic.talking():
                await asyncio.sleep(QUIET_S)
                os.kill(paused, signal.SIGSTOP)
                try:
                    await traffic.expect_owners(other)
                    # The links change while it knows nothing of it: what it remembers is wrong from here on.
                    moved = [await traffic.chat.link(each, OTHER_STUB) for each in traffic.conversations[:MOVED]]
                    await asyncio.sleep(QUIET_S)
                finally:
                    os.kill(paused, signal.SIGCONT)
                await traffic.expect_owners(paused, other)
                await asyncio.sleep(QUIET_S)
            await traffic.expect_everything_once_in_order()
            epochs = {str(each.session): epoch for each, epoch in zip(traffic.conversations, moved, strict=False)}
            routed = [one for one in await traffic.routed() if one.session in epochs]
            assert {one.stub for one in routed if one.sequence > epochs[one.session]} == {OTHER_STUB}
            assert {one.stub for one in routed if one.sequence < epochs[one.session]} == {STUB}
            for conversation in traffic.conversations[:MOVED]:
                linked = [fact["epoch"] for fact in await traffic.chat.facts(conversation, Kind.LINKED)]
                assert linked[1:] == [epochs[conversation.session]]


async def test_a_server_that_is_killed_under_three_linkers_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    async with own_server(tmp_path) as (server, traffic):
        with ExitStack() as linkers:
            pids = [await in_thread(linkers, "linker", server) for _ in range(3)]
            await traffic.link_all()
            async with traffic.talking():
                for away_s in (0.0, LEASE_S + 1.0):
                    await asyncio.sleep(QUIET_S)
                    await server.kill()
                    await asyncio.sleep(away_s)
                    await server.start()
                    await traffic.expect_owners(*pids, within_s=20)
                await asyncio.sleep(QUIET_S)
            await traffic.expect_everything_once_in_order(within_s=45)


async def test_expiry_workers_share_what_fires_and_one_killed_leaves_nothing_unannounced(tmp_path: Path) -> None:
    async with own_server(tmp_path) as (server, traffic):
        chat = traffic.chat
        with ExitStack() as workers:
            await in_thread(workers, "linker", server)
            first = await in_thread(workers, "expiry", server)
            second = await in_thread(workers, "expiry", server)
            await traffic.link_all()
            await traffic.expect_owners(first, second, group="expiry")

            async def expired() -> int:
                found = [await chat.facts(each, Kind.EXPIRED) for each in traffic.conversations]
                assert max(map(len, found)) <= 1
                return sum(map(len, found))

            for each in traffic.conversations:
                await chat.notify(each, STUB, stubsession={"set_new_with_timeout_hours": 1 / 3600})
            os.kill(first, signal.SIGKILL)

            async def all_expired() -> bool:
                return await expired() == SESSIONS

            await poll(all_expired, within_s=20)
            await traffic.expect_owners(second, group="expiry")
            await asyncio.sleep(1.0 * TIME_FACTOR)  # a doubled one would come now
            assert await expired() == SESSIONS
