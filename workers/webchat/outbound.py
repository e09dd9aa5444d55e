"""Frames on their way to one browser: in order, bounded, and without a task while there is nothing to send."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from workers.webchat.wire import CloseCode, Downward, write_frame

FRAMES_MAX = 512
BYTES_MAX = 1 << 20
PAUSE_FRAMES = 64
PAUSE_CHARACTERS = 1 << 18
"""Far enough below the limits that one more frame, the longest there is, still fits."""
CLOSE_WAIT_S = 5.0


class Outbound:
    """The one writer of a socket. A browser that reads too slowly is sent away: it comes back and replays."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._code: CloseCode | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def is_closing(self) -> bool:
        """Whether nothing more is taken."""
        return self._code is not None

    def put(self, frame: Downward) -> None:
        """Send when the browser can take it; closes the socket instead when too much waits already."""
        if self._code is not None:
            return
        text = write_frame(frame)
        if len(self._waiting) >= FRAMES_MAX or (self._waiting and self._characters + len(text) > BYTES_MAX):
            self._waiting.clear()
            self.close(CloseCode.TOO_SLOW)
            return
        self._waiting.append(text)
        self._characters += len(text)
        self._wake()

    def close(self, code: CloseCode) -> None:
        """End the connection after what waits; the first code counts."""
        if self._code is None:
            self._code = code
            self._wake()

    async def make_room(self) -> None:
        """Wait for the browser if a good part of what may wait does: a replay goes at the browser's own pace."""
        if len(self._waiting) >= PAUSE_FRAMES or self._characters >= PAUSE_CHARACTERS:
            await self.flush()

    async def flush(self) -> None:
        """Return when nothing waits any more."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def finish(self) -> None:
        """Let what waits go out, but not for ever."""
        if self._writer is not None:
            _, late = await asyncio.wait({self._writer}, timeout=CLOSE_WAIT_S)
            for task in late:
                task.cancel()

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                text = self._waiting.popleft()
                self._characters -= len(text)
                await self._websocket.send_text(text)
            if self._code is not None:
                await self._websocket.close(self._code)
        except (WebSocketDisconnect, RuntimeError, OSError):
            # The browser is gone; whoever reads from it learns the same and ends the connection.
            self._code = self._code or CloseCode.TRY_LATER
            self._waiting.clear()
        finally:
            self._writer = None
