"""Keeps what waits far back in a slow lane in the stream: here stays its address alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from broker.errors import BackboneError
from broker.runtime.retry import backoff_s
from broker.transport.connection import Connection
from broker.transport.pull import Delivery
from broker.transport.reader import StoredMessage, read_one

PARKED_BEHIND = 64
"""So many of a lane are kept whole."""
PARKED_BEHIND_WHEN_CROWDED = 1
"""The same while more than half of what may be in hand is."""

Fetch = Callable[[int], Awaitable[StoredMessage | None]]

log = structlog.get_logger()


class Parking:
    """Takes the bodies off deliveries that have long to wait, and reads them again when their turn comes.

    So a lane that stands still costs some hundred bytes for each that waits in it, and the others go on.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def is_due(self, waiting: int, *, crowded: bool) -> bool:
        """Whether the next of a lane with so many waiting is to be parked."""
        return waiting >= (PARKED_BEHIND_WHEN_CROWDED if crowded else PARKED_BEHIND)

    async def bring_back(self, delivery: Delivery) -> Literal["whole", "gone", "stale"]:
        """Read a parked one from the stream, however long the bus is away; it may be gone, or come anew anyhow."""
        attempt = 0
        while not delivery.stale:
            attempt += 1
            try:
                stored = await self._fetch(delivery.sequence)
            except BackboneError as error:
                log.warning("parked_not_read", sequence=delivery.sequence, error_code=error.code, attempt=attempt)
                await asyncio.sleep(backoff_s(attempt))
                continue
            if stored is None:
                log.error("parked_message_gone", sequence=delivery.sequence)
                return "gone"
            delivery.fill(stored.subject, stored.data, stored.headers)
            return "whole"
        return "stale"


def parking_of(connection: Connection, stream: str) -> Parking:
    """A parking in front of one stream."""

    async def fetch(sequence: int) -> StoredMessage | None:
        return await read_one(connection, stream, sequence)

    return Parking(fetch)
