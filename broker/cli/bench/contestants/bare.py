"""The bare loop: nats-py, lanes, and the linker's guarantees; forwards the body and does nothing else.

    python -m broker.cli.bench.contestants.bare <url> <org> <consumers>

Pull loop, windowed publishes with a message id, compare-and-set of the link with the last sequence, acknowledgement
last: what a kill -9 at any line survives. No validation, no registrations, no timers, no dead letters.
Source: nats-notes.md sections 4.2 and 5.6.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.cli.bench.contestants.peer import BUCKET_PREFIX, GET_PREFIX, Link, Told, link_key, session_of
from broker.runtime.main import event_loop
from broker.transport.topology import CONVERSATIONS

BATCH = 200
WINDOW = 1024
EXPIRES_NS = 30_000_000_000


class Window:
    """Publishes of which at most so many wait for their acknowledgement."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._room = asyncio.Semaphore(WINDOW)
        self._open: dict[str, asyncio.Future[int]] = {}
        self._number = 0

    async def open(self) -> None:
        """Listen for acknowledgements."""
        await self._client.subscribe(
            f"{self._inbox}.*", cb=self._acknowledged, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def store(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Publish; the sequence, once it is stored."""
        await self._room.acquire()
        try:
            self._number += 1
            key = str(self._number)
            ack: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._open[key] = ack
            await self._client.publish(subject, body, f"{self._inbox}.{key}", headers)
            return await ack
        finally:
            self._room.release()

    async def _acknowledged(self, message: Msg) -> None:
        ack = self._open.pop(message.subject.rsplit(".", 1)[1])
        answer = json.loads(message.data)
        if "error" in answer:
            ack.set_exception(RuntimeError(answer["error"]["description"]))
        else:
            ack.set_result(answer["seq"])


class Bare:
    """The lanes, and what they do."""

    def __init__(self, client: Client, org: str) -> None:
        self._client = client
        self._org = org
        self._window = Window(client)
        self._lanes: dict[str, deque[Msg]] = {}
        self._links: dict[str, tuple[Link, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Be ready for messages."""
        await self._window.open()

    def accept(self, message: Msg) -> None:
        """Queue one message behind those of its session."""
        session = session_of(message.subject)
        lane = self._lanes.get(session)
        if lane is not None:
            lane.append(message)
            return
        self._lanes[session] = lane = deque((message,))
        task = asyncio.create_task(self._work(session, lane))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault ends the process: the benchmark must hear of it."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(1)

    async def _work(self, session: str, lane: deque[Msg]) -> None:
        while lane:
            await self._route(session, lane[0])
            lane.popleft()
        del self._lanes[session]

    async def _route(self, session: str, message: Msg) -> None:
        known = self._links.get(session)
        link, revision = known if known is not None else await self._read(session)
        tokens = message.reply.split(".", 8)
        sequence, stored_at_ms = int(tokens[5]), int(tokens[7]) // 1_000_000
        if sequence > link.last_sequence and stored_at_ms < link.expires_at_ms:
            await self._window.store(link.target, message.data, {"Nats-Msg-Id": f"{session}-{sequence}"})
            link = Link(link.target, link.expires_at_ms, sequence)
            subject = BUCKET_PREFIX + link_key(self._org, session)
            expected = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
            self._links[session] = link, await self._window.store(subject, link.dump(), expected)
        await self._client.publish(message.reply, b"")

    async def _read(self, session: str) -> tuple[Link, int]:
        found = await self._client.request(GET_PREFIX + link_key(self._org, session), timeout=5)
        assert found.headers is not None  # noqa: S101 - a direct answer has them
        return Link.load(found.data), int(found.headers["Nats-Sequence"])


class PullLoop:
    """Keeps some hundred messages of one consumer requested."""

    def __init__(self, client: Client, consumer: str, bare: Bare) -> None:
        self._client = client
        self._place = f"{CONVERSATIONS}.{consumer}"
        self._bare = bare
        self._open = 0

    async def start(self) -> None:
        """Take the consumer from its acknowledgement floor, then pull for ever."""
        await self._client.request(f"$JS.API.CONSUMER.RESET.{self._place}", timeout=5)
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(self._inbox, cb=self._received, pending_msgs_limit=0, pending_bytes_limit=0)
        await self._pull()

    async def _pull(self) -> None:
        wanted, self._open = BATCH - self._open, BATCH
        request = {"batch": wanted, "expires": EXPIRES_NS, "idle_heartbeat": 1_000_000_000}
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._place}", json.dumps(request).encode(), self._inbox
        )

    async def _received(self, message: Msg) -> None:
        if message.reply:
            self._open -= 1
            self._bare.accept(message)
        elif message.headers and message.headers.get("Status") != "100":
            self._open -= int(message.headers.get("Nats-Pending-Messages", self._open))
        if self._open <= BATCH // 2:
            await self._pull()


async def main() -> None:
    """Route until the process is ended."""
    told = Told.read()
    client = Client()
    await client.connect(told.url, name="bare", pending_size=8 << 20)
    bare = Bare(client, told.org)
    await bare.open()
    await asyncio.gather(*(PullLoop(client, consumer, bare).start() for consumer in told.consumers))
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main())
