"""Writes down the calls that are not worked on, so that developers see them; a flood is counted instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from broker import codec
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ConnectionName, OrgId
from broker.domain.subjects import WebhookOutcome, WebhookSubject
from broker.domain.webhooks import StoredWebhook, WebhookFacts
from broker.domain.wire import dump
from broker.errors import BusError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.telling.visitor import SERVICE

WRITTEN_AT_ONCE_MAX = 20
WRITTEN_PER_S = 2.0
"""Of one connection and outcome, in the long run: about 1.2 million in the week that they are kept."""
WRITE_WAIT_S = 1.0
WAITING_MAX = 100
"""Calls that were sent away while the server was, and are written down when it is back."""

log = structlog.get_logger()


class CallLog:
    """The answer never depends on it: what cannot be written is counted, and the next one says how many these were."""

    def __init__(
        self, connection: Connection, publisher: Publisher, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._clock_s = clock_s
        self._allowances: dict[tuple[str, WebhookOutcome], Allowance] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    async def write(self, giosg: GiosgConnection, outcome: WebhookOutcome, facts: WebhookFacts) -> None:
        """Keep one call, without anything that it said."""
        allowance = self._allowance(giosg, outcome)
        if not allowance.take(self._clock_s()):
            allowance.left_out += 1
            return
        left_out, allowance.left_out = allowance.left_out, 0
        body = dump(StoredWebhook(webhook=facts.model_copy(update={"left_out": left_out or None})))
        try:
            async with asyncio.timeout(WRITE_WAIT_S):
                await self._connection.wait_connected()
                await self._publisher.store(subject_of(giosg, outcome), codec.encode(body), CONTENT)
        except (BusError, TimeoutError):
            allowance.left_out += left_out + 1
            return
        log.info(
            "webhook_not_taken",
            connection=giosg.name,
            outcome=outcome,
            kind=facts.kind,
            reason=facts.reason,
            status=facts.status,
            left_out=left_out,
        )

    def write_later(self, giosg: GiosgConnection, outcome: WebhookOutcome, facts: WebhookFacts) -> None:
        """Keep one call once the server is there again; whoever called is not kept waiting for that."""
        if len(self._waiting) >= WAITING_MAX:
            self._allowance(giosg, outcome).left_out += 1
            return
        task = asyncio.create_task(self._write_connected(giosg, outcome, facts))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Give up what waits."""
        for task in self._waiting:
            task.cancel()
        if self._waiting:
            await asyncio.wait(self._waiting)

    async def _write_connected(self, giosg: GiosgConnection, outcome: WebhookOutcome, facts: WebhookFacts) -> None:
        await self._connection.wait_connected()
        await self.write(giosg, outcome, facts)

    def _allowance(self, giosg: GiosgConnection, outcome: WebhookOutcome) -> Allowance:
        return self._allowances.setdefault((giosg.name, outcome), Allowance(self._clock_s()))


class Allowance:
    """So many at once, and then so many a second; ``left_out`` counts those that were too many."""

    def __init__(self, now_s: float) -> None:
        self._left = float(WRITTEN_AT_ONCE_MAX)
        self._at_s = now_s
        self.left_out = 0

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed now."""
        grown = self._left + (now_s - self._at_s) * WRITTEN_PER_S
        self._left, self._at_s = min(float(WRITTEN_AT_ONCE_MAX), grown), now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


CONTENT = {names.CONTENT_TYPE: codec.MSGPACK}


def subject_of(giosg: GiosgConnection, outcome: WebhookOutcome) -> str:
    """Where a call of the connection's is kept."""
    return str(WebhookSubject(OrgId(giosg.org), ChannelName(SERVICE), ConnectionName(giosg.name), outcome))
