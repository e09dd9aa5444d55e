"""Pull requests on one consumer, kept open; notices lost requests, lost messages and vanished consumers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from broker.transport.callbacks import Callback
from broker.transport.client import Message, read_message
from broker.transport.connection import Connection

EXPIRES_S = 30
HEARTBEAT_S = 1.0
SILENCE_S = 2.5
"""Two heartbeats missed; the reconnect callback is quicker where the whole server went away."""
SECOND_NS = 1_000_000_000
REQUEST_BYTES_MAX = 4 << 20
"""What one request may bring, so that two hundred of the largest messages do not come at once."""
FULFILLED = ("Batch Completed", "Message Size Exceeds MaxBytes")
"""The end of a request that brought what it may; these come with status 409 as failures do."""
PLAIN_TOKENS = 9

log = structlog.get_logger(__name__)


class Position(NamedTuple):
    """What the acknowledgement's address says of a message."""

    attempt: int
    sequence: int
    consumer_sequence: int
    stored_at_ms: int
    pending: int


class PullRequests:
    """One inbox on which up to ``batch`` messages of a consumer are requested at any time.

    ``lost`` is set when what comes next cannot be trusted any more: then close this one, put the consumer in order
    and open a new one. ``on_message`` may block: nothing more is requested meanwhile, which bounds memory.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        consumer: str,
        on_message: Callable[[Message, Position], Awaitable[None]],
        *,
        batch: int,
        expires_s: float = EXPIRES_S,
    ) -> None:
        self.lost = asyncio.Event()
        self._connection = connection
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._on_message = on_message
        self._batch = batch
        self._expires_s = expires_s
        self._open = 0
        self._consumer_sequence = 0
        self._busy = False
        self._loop = asyncio.get_running_loop()
        self._seen_s = self._loop.time()
        self._inbox = connection.new_inbox()
        self._waiting: deque[tuple[bytes, bytes, bytes, bytes]] = deque()
        self._arrived = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self._endings: list[Callback] = []

    async def open(self) -> None:
        """Subscribe and request; the consumer's own count must start anew (fresh, or just reset)."""
        self._working = asyncio.create_task(self._work())
        self._subscription = await self._connection.hear(self._inbox, self._heard)
        self._endings = [self._connection.watch(self._check), self._connection.on_reconnect(self.lost.set)]
        try:
            await self._pull()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Drop the inbox and what lies in it; a blocked ``on_message`` is cancelled."""
        for end in self._endings:
            end()
        if self._subscription is not None:
            with contextlib.suppress(NatsError):
                await self._subscription.unsubscribe()
        if self._working is not None:
            self._working.cancel()

    def _heard(self, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """What was requested bounds how much lies here."""
        self._waiting.append((subject, reply, data, headers))
        self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._received(read_message(*self._waiting.popleft()))

    async def _pull(self) -> None:
        wanted, self._open = self._batch - self._open, self._batch
        request = {
            "batch": wanted,
            "max_bytes": REQUEST_BYTES_MAX,
            "expires": int(self._expires_s * SECOND_NS),
            "idle_heartbeat": int(min(HEARTBEAT_S, self._expires_s / 2) * SECOND_NS),
        }
        await self._connection.publish(self._next, json.dumps(request).encode(), reply=self._inbox)

    async def _received(self, message: Message) -> None:
        if self.lost.is_set():
            return
        self._busy = True
        try:
            if message.reply:  # a header named Status may come from outside; an empty reply cannot
                await self._deliver(message)
            else:
                self._control(message.headers)
            if self._open <= self._batch // 2 and not self.lost.is_set():
                await self._pull()
        except Exception as error:  # noqa: BLE001 - a bug in the callback must not skip a message unseen
            log.error("delivery_not_accepted", error_type=type(error).__name__, error=str(error))
            self.lost.set()
        finally:
            self._busy = False
            self._seen_s = self._loop.time()

    async def _deliver(self, message: Message) -> None:
        position = position_of(message.reply)
        self._open -= 1
        if position.consumer_sequence != self._consumer_sequence + 1:
            log.warning("delivery_gap_found", expected=self._consumer_sequence + 1, found=position.consumer_sequence)
            self.lost.set()
            return
        self._consumer_sequence += 1
        await self._on_message(message, position)

    def _control(self, headers: Mapping[str, str]) -> None:
        status = headers.get("Status", "")
        if status == "100":  # a heartbeat: it knows what was sent, so the loss of a last message shows as well
            if int(headers.get("Nats-Last-Consumer", self._consumer_sequence)) > self._consumer_sequence:
                self.lost.set()
        elif status in {"404", "408"} or headers.get("Description", "").startswith(FULFILLED):
            # The rest of one request is void.
            self._open -= int(headers.get("Nats-Pending-Messages", self._open))
        else:  # 409 consumer deleted, leader changed; 503 nobody there
            log.info("pull_ended", status=status, reason=headers.get("Description", "").strip().split("\n")[0])
            self.lost.set()

    def _check(self) -> None:
        if not self._busy and self._connection.connected and self._loop.time() - self._seen_s > SILENCE_S:
            self.lost.set()


def position_of(reply: str) -> Position:
    """Read ``$JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<consumer sequence>.<ns>.<pending>``.

    Source: nats-notes.md section 10.1; the longer form has a domain and an account in front.
    """
    tokens = reply.split(".")
    first = 4 if len(tokens) == PLAIN_TOKENS else 6
    attempt, sequence, consumer_sequence, stored_ns, pending = tokens[first : first + 5]
    return Position(int(attempt), int(sequence), int(consumer_sequence), int(stored_ns) // 1_000_000, int(pending))


def public_subject(stored: str) -> str:
    """The subject as it was published: without ``p.<n>.``."""
    return stored.split(".", 2)[2] if stored.startswith("p.") else stored
