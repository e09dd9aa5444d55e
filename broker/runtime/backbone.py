"""Everything that a worker needs of the bus, opened in one step and closed in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.runtime.deadletters import DeadLetters
from broker.runtime.loop import Work, consume
from broker.runtime.settings import Settings
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.records import Records
from broker.transport.timers import Timers


@dataclass(frozen=True, slots=True)
class Backbone:
    """A connected worker's tools; streams and buckets are there. Who sets ``started`` takes work from then on."""

    connection: Connection
    publisher: Publisher
    dead_letters: DeadLetters
    timers: Timers
    started: asyncio.Event

    @property
    def ready(self) -> bool:
        """Whether work is being taken now: false before the start, and while the server is away."""
        return self.started.is_set() and self.connection.connected

    async def consume(self, work: Work, stop: asyncio.Event) -> None:
        """Take work until ``stop`` is set; see broker.runtime.loop."""
        await consume(self.connection, work, self.dead_letters, stop, started=self.started)

    def records(self, bucket: str) -> Records:
        """One of the buckets of topology.py."""
        return Records(self.connection, self.publisher, bucket)


@contextlib.asynccontextmanager
async def open_backbone(settings: Settings, *, name: str) -> AsyncIterator[Backbone]:
    """Connect as ``name``, see that streams, buckets and consumers are there, and have a publisher ready.

    Raises:
        BusError: no server, an unfit one, or one that refuses what is needed; the message says what to do.
    """
    async with connect(settings.nats_url, name=name) as connection, open_publisher(connection) as publisher:
        await ensure(
            connection,
            replicas=settings.replicas,
            partitions=settings.partitions,
            log_bytes_max=settings.log_bytes_max,
        )
        timers = Timers(publisher)
        yield Backbone(connection, publisher, DeadLetters(publisher), timers, asyncio.Event())
