"""Publishes with a window: every one ends, stored or with the server's reason; nats-py's own may never end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nats.errors import Error as NatsError

from broker.errors import BusError, NoAnswerError, NoStreamError, PermissionRefusedError, PublishTimedOutError
from broker.transport.connection import Connection
from broker.transport.refusals import refusal
from broker.transport.window import Window

NOBODY_THERE = b"NATS/1.0 503"
_PLAIN_ACK = re.compile(rb'\{"stream":"[^"]*", ?"seq":([0-9]+)\}')
"""What nearly every acknowledgement looks like; anything else is read as the JSON that it is."""


class Stored(NamedTuple):
    """A message is on disk (or was already there, under the same id)."""

    sequence: int
    duplicate: bool


@dataclass(slots=True)
class _Waiting:
    subject: str
    ack: asyncio.Future[Stored]
    deadline_s: float
    sent: bool


class Publisher:
    """At most ``window`` publishes wait for their acknowledgement at a time; further ones wait for room.

    Messages are stored in the order of the calls. What timed out may or may not be stored: retry it with the
    same ``Nats-Msg-Id``.
    """

    def __init__(self, connection: Connection, window: int = 1024, timeout_s: float = 5.0) -> None:
        self._connection = connection
        self._window = Window(window)
        self._timeout_s = timeout_s
        self._inbox = connection.new_inbox()
        self._open: dict[str, _Waiting] = {}
        self._number = 0
        self._sweeper: asyncio.TimerHandle | None = None

    async def store(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> Stored:
        """Publish and wait until it is stored.

        Raises:
            ConflictError: an expected sequence in the headers is not the last one.
            PublishTimedOutError: no answer in time.
            NoAnswerError: the connection broke meanwhile; as after a timeout, it may or may not be stored.
            StreamFullError, ServerOverloadedError, InFlightError: not now; later may be better.
            PublishRefusedError: the stream says no; ``retryable`` tells whether later may be better.
            NoStreamError: no stream takes the subject.
            PermissionRefusedError: this user may not publish there.
            BodyTooLargeError: over the server's limit.
        """
        return await (await self.submit(subject, body, headers))

    async def submit(
        self, subject: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> asyncio.Future[Stored]:
        """Publish; the future ends as store() would. Whoever drops the future must not care about the outcome."""
        await self._window.enter()
        self._number += 1
        key = str(self._number)
        loop = asyncio.get_running_loop()
        ack: asyncio.Future[Stored] = loop.create_future()
        self._open[key] = _Waiting(subject, ack, loop.time() + self._timeout_s, self._connection.connected)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._timeout_s, self._sweep)
        try:
            await self._connection.publish(subject, body, reply=f"{self._inbox}.{key}", headers=headers)
        except BaseException:
            ack.cancel()
            self._ended(key)
            raise
        return ack

    async def open(self) -> None:
        """Listen for acknowledgements; see open_publisher()."""
        self._end_refusals = self._connection.on_refused(self._refused)
        self._end_breaks = self._connection.on_reconnect(self._broke)
        self._subscription = await self._connection.hear(f"{self._inbox}.*", self._acknowledged)

    async def flush(self, wait_s: float = 5.0) -> None:
        """Return when nothing waits any more, or after ``wait_s``."""
        waiting = [item.ack for item in self._open.values() if not item.ack.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=wait_s)

    async def close(self) -> None:
        """Stop; what still waits ends as timed out."""
        self._end_refusals()
        self._end_breaks()
        with contextlib.suppress(NatsError):
            await self._subscription.unsubscribe()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for key in list(self._open):
            self._fail(key)

    def _ended(self, key: str) -> _Waiting | None:
        """What waited under the key, None if it has ended before; it makes room for another."""
        item = self._open.pop(key, None)
        if item is not None:
            self._window.leave()
        return item

    def _acknowledged(self, inbox: str, data: bytes, headers: bytes) -> None:
        item = self._ended(inbox.rsplit(".", 1)[1])
        if item is None or item.ack.done():
            return
        if (plain := _PLAIN_ACK.fullmatch(data)) is not None:
            item.ack.set_result(Stored(int(plain[1]), duplicate=False))
            return
        if headers.startswith(NOBODY_THERE):
            _refuse(item.ack, NoStreamError(item.subject))
            return
        answer = json.loads(data)
        problem = answer.get("error")
        if problem is None:
            item.ack.set_result(Stored(answer["seq"], duplicate="duplicate" in answer))
        else:
            _refuse(item.ack, refusal(item.subject, problem))

    def _refused(self, subject: str) -> None:
        for key, item in list(self._open.items()):
            if item.subject.lower() == subject:
                self._ended(key)
                if not item.ack.done():
                    _refuse(item.ack, PermissionRefusedError(f"it may not publish to {item.subject}"))

    def _broke(self) -> None:
        """The answers to what was sent before the connection broke went with it: waiting on would hold up a lane."""
        for key, item in list(self._open.items()):
            if item.sent:
                self._ended(key)
            if item.sent and not item.ack.done():
                _refuse(item.ack, NoAnswerError(item.subject, problem="the connection broke"))

    def _sweep(self) -> None:
        """Fail the overdue. The wait is the same for all, so the oldest stand first."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        for key, item in list(self._open.items()):
            if item.deadline_s > loop.time():
                self._sweeper = loop.call_at(item.deadline_s, self._sweep)
                return
            self._fail(key)

    def _fail(self, key: str) -> None:
        item = self._ended(key)
        if item is not None and not item.ack.done():
            _refuse(item.ack, PublishTimedOutError(item.subject, timeout_s=self._timeout_s))


async def all_stored(acks: Sequence[asyncio.Future[Stored]]) -> None:
    """Return when all are stored; raise what the first that failed raises. One after another: most end together."""
    for ack in acks:
        await ack


def _refuse(ack: asyncio.Future[Stored], error: BusError) -> None:
    """End it with an error, which nobody has to hear of: asyncio would log it, and whole session uuids with it."""
    ack.set_exception(error)
    ack.exception()


@contextlib.asynccontextmanager
async def open_publisher(
    connection: Connection, *, window: int = 1024, timeout_s: float = 5.0
) -> AsyncIterator[Publisher]:
    """A publisher that takes messages until the end of the block, and waits there for those on their way."""
    publisher = Publisher(connection, window, timeout_s)
    await publisher.open()
    try:
        yield publisher
        await publisher.flush()
    finally:
        await publisher.close()
