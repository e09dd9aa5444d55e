"""Room for so many at a time, first come, first served, at the same cost however many wait."""

from __future__ import annotations

import asyncio
from collections import deque


class Window:
    """What asyncio's semaphore is, but that one looks through all who were woken and have not run yet.

    With thousands of waiting publishes that took a tenth of a linker's time (measured with 3.11).
    """

    def __init__(self, size: int) -> None:
        self._room = size
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._woken = 0

    async def enter(self) -> None:
        """Return when there is room, in the order of the calls."""
        if self._room > 0 and not self._waiting and not self._woken:
            self._room -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # woken and given up in the same instant
                self._woken -= 1
                self.leave()
            raise
        self._woken -= 1

    def leave(self) -> None:
        """Make room; whoever waits longest has it from now on."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._woken += 1
                turn.set_result(None)
                return
        self._room += 1
