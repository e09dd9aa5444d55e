"""Publishes with a window: every one ends, stored or with the server's reason; nats-py's own may never end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from nats.errors import Error as NatsError

from broker.errors import BusError, NoAnswerError, NoStreamError, PermissionRefusedError, PublishTimedOutError
from broker.transport.connection import Connection
from broker.transport.refusals import refusal
from broker.transport.window import Window

NOBODY_THERE = b"NATS/1.0 503"
_PLAIN_ACK = re.compile(rb'\{"stream":"[^"]*", ?"seq":([0-9]+)\}')
"""What nearly every acknowledgement looks like; anything else is read as the JSON that it is."""


log = structlog.get_logger(__name__)

TOGETHER_MAX = 256
"""A quarter of the usual window: who publishes so many in one go lets the others have their turn."""


class Outgoing(NamedTuple):
    """A message to publish."""

    subject: str
    body: bytes
    headers: Mapping[str, str] | None = None


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
        if not self._window.enter_now():
            await self._window.enter()
        return await self._send(Outgoing(subject, body, headers))

    async def store_in_order(self, messages: Sequence[Outgoing]) -> list[Stored]:
        """Publish all and wait until they are stored; whatever breaks meanwhile, none is stored before its elders.

        They leave in one go, so what is lost on the way is the end of them. One that had to wait for room would be
        stored by a server that is back, although those before it went down with the old connection.

        Raises:
            BusError: as store(), for the first that failed; those behind it may be stored or not.
        """
        stored: list[Stored] = []
        count = min(TOGETHER_MAX, self._window.size)
        for first in range(0, len(messages), count):
            stored += [await ack for ack in await self._send_together(messages[first : first + count])]
        return stored

    async def _send_together(self, messages: Sequence[Outgoing]) -> list[asyncio.Future[Stored]]:
        if not self._window.enter_now(len(messages)):
            await self._window.enter(len(messages))
        acks: list[asyncio.Future[Stored]] = []
        left, was_connected = len(messages), self._connection.connected
        try:
            for message in messages:
                left -= 1
                acks.append(await self._send(message))  # with a full buffer it waits after all
                if was_connected and not self._connection.connected:
                    raise NoAnswerError(message.subject, problem="the connection broke")
        finally:
            if left:
                self._window.leave(left)
        return acks

    async def _send(self, message: Outgoing) -> asyncio.Future[Stored]:
        """Publish one that has entered the window."""
        subject, body, headers = message
        self._number += 1
        key = str(self._number)
        loop = asyncio.get_running_loop()
        ack: asyncio.Future[Stored] = loop.create_future()
        self._open[key] = _Waiting(subject, ack, loop.time() + self._timeout_s, self._connection.connected)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._timeout_s, self._sweep)
        reply = f"{self._inbox}.{key}"
        if self._connection.client.send_now(subject, reply, body, headers):
            return ack
        try:
            await self._connection.publish(subject, body, reply=reply, headers=headers)
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

    def _acknowledged(self, inbox: bytes, _reply: bytes, data: bytes, headers: bytes) -> None:
        key = inbox.rsplit(b".", 1)[1].decode()
        item = self._open.get(key)
        if item is None:
            return
        found = _read_answer(item.subject, data, headers)
        if found is None:
            log.warning("acknowledgement_ignored", size_bytes=len(data))
            return
        self._ended(key)
        if item.ack.done():
            return
        if isinstance(found, Stored):
            item.ack.set_result(found)
        else:
            _refuse(item.ack, found)

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


def _read_answer(subject: str, data: bytes, headers: bytes) -> Stored | BusError | None:
    """What became of a publish; None where no stream says it: any subscriber that answers may do so first."""
    if (plain := _PLAIN_ACK.fullmatch(data)) is not None:
        return Stored(int(plain[1]), duplicate=False)
    if headers.startswith(NOBODY_THERE):
        return NoStreamError(subject)
    try:
        answer = json.loads(data)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    if isinstance(problem := answer.get("error"), dict):
        return refusal(subject, problem)
    sequence = answer.get("seq")
    return Stored(sequence, duplicate="duplicate" in answer) if isinstance(sequence, int) else None


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
