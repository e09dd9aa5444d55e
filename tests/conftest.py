"""What every test may use: one real nats-server, a connection and a fresh org each, and a poll with a deadline."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Publisher, open_publisher

TIME_FACTOR = float(os.environ.get("HEIMDALL_TEST_TIME_FACTOR", "1"))
"""Every wait in the tests is scaled by it: raise it on a slow machine."""
POLL_S = 0.02

Predicate = Callable[[], object | Awaitable[object]]
Eventually = Callable[..., Awaitable[None]]


async def poll(predicate: Predicate, within_s: float = 5.0) -> None:
    """Return when the predicate (a plain or an async function) holds; fail after ``within_s``, scaled."""
    deadline = asyncio.get_running_loop().time() + within_s * TIME_FACTOR
    while True:
        found = predicate()
        if await found if inspect.isawaitable(found) else found:
            return
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"did not become true within {within_s * TIME_FACTOR:.1f} s: {inspect.getsource(predicate)}")
        await asyncio.sleep(POLL_S)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """With several test processes (``make test``), a test marked ``alone`` has the machine to itself.

    Everybody goes through the door into the room; who wants to be alone keeps the door shut until the room is empty.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    shared = tmp_path_factory.getbasetemp().parent
    alone = request.node.get_closest_marker("alone") is not None
    with (shared / "room").open("w") as room, (shared / "door").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """``await eventually(lambda: seen == [1], within_s=2)``."""
    return poll


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """One nats-server for the whole session, with the backbone's streams; never kill this one."""
    data_dir: Path = tmp_path_factory.mktemp("nats")
    async with nats_server(data_dir) as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


@pytest_asyncio.fixture
async def connection(server: EmbeddedServer) -> AsyncIterator[Connection]:
    """A connection to the session's server, closed after the test."""
    async with connect(server.url, name="test") as opened:
        yield opened


@pytest_asyncio.fixture
async def publisher(connection: Connection) -> AsyncIterator[Publisher]:
    """A publisher on that connection."""
    async with open_publisher(connection) as opened:
        yield opened


@pytest.fixture
def org() -> str:
    """An org uuid of the test's own, so that tests run side by side on one server."""
    return str(uuid4())
