"""A visitor of the webchat without a browser: writes over the chat's own WebSocket, and tells what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from broker.cli.demo.telling import STEP_WAIT_S, Story
from broker.errors import DemoStuckError

Frame = dict[str, Any]


class WebVisitor:
    """One visitor with an open chat window."""

    def __init__(self, socket: ClientConnection, story: Story) -> None:
        self._socket = socket
        self._story = story
        self._seen: list[str] = []
        self._more = asyncio.Event()

    async def writes(self, text: str) -> None:
        """The visitor writes."""
        self._story.tell("visitor", "wrote", f"writes {text!r}")
        await self._send({"frame": "say", "id": str(uuid4()), "text": text})

    async def until(self, words: str) -> None:
        """Return when the window has shown this, or has it already; each showing counts once.

        Raises:
            DemoStuckError: it does not come.
        """
        try:
            async with asyncio.timeout(STEP_WAIT_S):
                while not any(words in seen for seen in self._seen):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError as error:
            raise DemoStuckError(f"the visitor does not see {words!r}", wait_s=STEP_WAIT_S) from error
        place = next(place for place, seen in enumerate(self._seen) if words in seen)
        del self._seen[: place + 1]

    async def comes(self, org: str, chat: str) -> None:
        """The visitor opens the window."""
        self._story.tell("visitor", "opened", "opens the chat window")
        await self._send({"frame": "hello", "orguuid": org, "chat_name": chat})

    async def read(self) -> None:
        """Tell whatever the window shows, until the connection ends."""
        async for text in self._socket:
            frame: Frame = json.loads(text)
            if frame["frame"] == "refused":
                self._story.tell("heimdall", "refused", str(frame["message"]))
            if frame["frame"] == "message" and frame["direction"] == "to_visitor":
                self._see(frame)

    def _see(self, frame: Frame) -> None:
        agent = str(frame["agent"] or "Agent")
        event = frame["control"] or {}
        happened = str(event.get("type", ""))
        words = html.unescape(str(frame["html"] or ""))
        if words and happened in ("", "agent.message"):
            self._story.tell("visitor", "read", f"reads {words!r} from {agent}", agent=agent)
        elif words or happened in ("agent.joined", "agent.left"):
            self._story.tell("visitor", "saw", f"sees: {words or f'{happened} {agent}'}", event=happened)
        self._seen.append(f"{happened} {agent} {words}")
        self._more.set()

    async def _send(self, frame: Frame) -> None:
        await self._socket.send(json.dumps(frame))


@contextlib.asynccontextmanager
async def web_visitor(port: int, story: Story) -> AsyncIterator[WebVisitor]:
    """Connected to the webchat worker at this port until the end of the block."""
    async with connect(f"ws://127.0.0.1:{port}/webchat/socket", compression=None, proxy=None) as socket:
        visitor = WebVisitor(socket, story)
        reading = asyncio.create_task(visitor.read())
        try:
            yield visitor
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
