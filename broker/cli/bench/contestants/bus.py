"""A bare pull loop and a bare windowed publisher on nats-py, as nats-notes.md section 5.6 has them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

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
        return await (await self.submit(subject, body, headers))

    async def submit(self, subject: str, body: bytes, headers: dict[str, str]) -> asyncio.Future[int]:
        """Publish; what it returns ends when it is stored."""
        await self._room.acquire()
        self._number += 1
        key = str(self._number)
        ack: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._open[key] = ack
        await self._client.publish(subject, body, f"{self._inbox}.{key}", headers)
        return ack

    async def _acknowledged(self, message: Msg) -> None:
        ack = self._open.pop(message.subject.rsplit(".", 1)[1])
        self._room.release()
        answer = json.loads(message.data)
        if "error" in answer:
            ack.set_exception(RuntimeError(answer["error"]["description"]))
        else:
            ack.set_result(answer["seq"])


class PullLoop:
    """Keeps some hundred messages of one consumer requested."""

    def __init__(self, client: Client, stream: str, consumer: str, accept: Callable[[Msg], None]) -> None:
        self._client = client
        self._place = f"{stream}.{consumer}"
        self._accept = accept
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
            self._accept(message)
        elif message.headers and message.headers.get("Status") != "100":
            self._open -= int(message.headers.get("Nats-Pending-Messages", self._open))
        if self._open <= BATCH // 2:
            await self._pull()
