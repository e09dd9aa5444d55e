"""The bare loop: nats-py, lanes, and the linker's guarantees; forwards the body and does nothing else.

    python -m broker.cli.bench.contestants.bare <url> <org> <consumers>

Pull loop, windowed publishes with a message id, compare-and-set of the link with the last sequence, acknowledgement
last: what a kill -9 at any line survives. No validation, no registrations, no timers, no dead letters.
Source: nats-notes.md sections 4.2 and 5.6.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.cli.bench.contestants.bus import PullLoop, Window
from broker.cli.bench.contestants.peer import BUCKET_PREFIX, GET_PREFIX, Link, Told, link_key, session_of
from broker.runtime.main import event_loop
from broker.transport.topology import CONVERSATIONS

ROUTED = ("message", "configuration", "notice", "userdata", "ended")
"""What a subject of a visitor's event ends with; what a stub says passes through unrouted."""


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
        if not message.subject.endswith(ROUTED):
            await self._client.publish(message.reply, b"")
            return
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


async def main() -> None:
    """Route until the process is ended."""
    told = Told.read()
    client = Client()
    await client.connect(told.url, name="bare", pending_size=8 << 20)
    bare = Bare(client, told.org)
    await bare.open()
    await asyncio.gather(
        *(PullLoop(client, CONVERSATIONS, consumer, bare.accept).start() for consumer in told.consumers)
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main())
