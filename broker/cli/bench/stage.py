"""Where a benchmark runs: an embedded nats-server of its own, in a temporary folder, with the backbone's streams."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from broker.cli.bench.machine import facts
from broker.cli.bench.process import Process, running
from broker.cli.bench.progress import Show
from broker.cli.child import READY_POLL_S
from broker.errors import NotMeasurableError
from broker.runtime.embedded import free_port, nats_server
from broker.runtime.metrics import is_ready
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.records import Records
from broker.transport.topology import (
    BUCKETS,
    CONVERSATIONS,
    DEADLETTER_STREAM,
    DELIVERIES,
    PARTITIONS,
    TIMER_STREAM,
    linker_consumers,
    stream_of,
)

POLL_S = 0.1
STALLED_AFTER_S = 15.0
"""Nothing new for so long: what is missing is lost, or the process hangs."""
SETTLE_S = 0.5
"""What comes twice comes at once, or after the acknowledgement's time; the checker waits for the former."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server and what is needed to act on it."""

    url: str
    server_pid: int
    folder: Path
    connection: Connection
    publisher: Publisher
    show: Show

    def machine(self) -> dict[str, str]:
        """The facts for the report."""
        version = self.connection.client.connected_server_version
        return facts(f"{version.major}.{version.minor}.{version.patch}")

    def records(self, bucket: str) -> Records:
        """One of the buckets."""
        return Records(self.connection, self.publisher, bucket)

    async def clear(self) -> None:
        """Empty every stream and bucket, so that each turn begins with the same."""
        for name in (CONVERSATIONS, DELIVERIES, TIMER_STREAM, DEADLETTER_STREAM, *map(stream_of, BUCKETS)):
            await self.connection.ask(f"STREAM.PURGE.{name}")

    async def stored(self, stream: str) -> int:
        """How many messages the stream holds."""
        return int((await self.connection.ask(f"STREAM.INFO.{stream}"))["state"]["messages"])

    async def last_sequence(self, stream: str) -> int:
        """The sequence of the stream's last message, also of one that is gone."""
        return int((await self.connection.ask(f"STREAM.INFO.{stream}"))["state"]["last_seq"])

    async def wait_for(self, stream: str, wanted: int, process: Process, what: str) -> int:
        """Return how many messages the stream holds, once there are ``wanted``, or none came for a while.

        Raises:
            ProcessEndedError: the process that makes them is gone.
        """
        loop = asyncio.get_running_loop()
        found, changed_s = await self.stored(stream), loop.time()
        with self.show.doing(what, wanted) as advance:
            while found < wanted and loop.time() - changed_s < STALLED_AFTER_S:
                process.check()
                await asyncio.sleep(POLL_S)
                before, found = found, await self.stored(stream)
                if found != before:
                    changed_s = loop.time()
                advance(found)
        return found

    async def wait_for_all(self, stream: str, wanted: int, process: Process, what: str) -> None:
        """As wait_for(), where fewer make everything after it pointless.

        Raises:
            NotMeasurableError: fewer came.
        """
        found = await self.wait_for(stream, wanted, process, what)
        if found < wanted:
            raise NotMeasurableError(what, found=found, expected=wanted)

    async def read(self, stream: str, *, after: int = 0, filters: tuple[str, ...] = (">",)) -> list[StoredMessage]:
        """Everything that the stream holds after a sequence, or of it what the filters name."""
        found: list[StoredMessage] = []

        async def keep(message: StoredMessage) -> None:
            found.append(message)

        async with LogReader(self.connection, stream, keep, filters=filters, after=after) as reader:
            await reader.caught_up.wait()
        return found

    async def forget_push_consumers(self) -> None:
        """Remove what a peer has made for itself."""
        answer = await self.connection.ask(f"CONSUMER.NAMES.{CONVERSATIONS}")
        for name in answer.get("consumers") or []:
            if name.startswith("push-"):
                await self.connection.ask(f"CONSUMER.DELETE.{CONVERSATIONS}.{name}")

    def consumers(self) -> list[str]:
        """The linker's consumers of partitions; whoever competes with it takes the same ones."""
        return [spec.name for spec in linker_consumers(PARTITIONS)[:PARTITIONS]]

    @contextlib.asynccontextmanager
    async def worker(self, name: str, **settings: str) -> AsyncIterator[Process]:
        """One of our workers, as production runs it."""
        own = {"HEIMDALL_NATS_URL": self.url, "HEIMDALL_HEALTH_PORT": str(free_port()), **settings}
        async with running(name, f"workers.{name}", self.folder, settings=own) as process:
            await _ready(process, int(own["HEIMDALL_HEALTH_PORT"]))
            yield process


@contextlib.asynccontextmanager
async def open_stage(show: Show) -> AsyncIterator[Stage]:
    """A fresh server with every stream, bucket and consumer; all of it is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="heimdall-bench-") as name:
        folder = Path(name)
        async with (
            nats_server(folder / "nats") as server,
            connect(server.url, name="bench") as connection,
            open_publisher(connection, timeout_s=30.0) as publisher,
        ):
            await ensure(connection)
            yield Stage(server.url, server.pid or 0, folder, connection, publisher, show)


async def _ready(process: Process, port: int) -> None:
    while not await is_ready(port):
        process.check()
        await asyncio.sleep(READY_POLL_S)
