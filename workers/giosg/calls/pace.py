"""How fast a connection may be called: so many calls at once, none while giosg wants to be left alone.

Source: specs/giosg.md section 3.14.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from broker.errors import ChannelThrottledError

WAITED_S_MAX = 15.0
"""Whoever would have to wait longer than that is told so at once, and its lane waits."""


class Pace:
    """One per connection."""

    def __init__(self, *, at_once_max: int) -> None:
        self._places = asyncio.Semaphore(at_once_max)
        self._quiet_until_s = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, to: str) -> AsyncIterator[None]:
        """A place for one call.

        Raises:
            ChannelThrottledError: giosg wants to be left alone for longer than a call waits.
        """
        async with self._places:
            while (wait_s := self._quiet_until_s - time.monotonic()) > 0:
                if wait_s > WAITED_S_MAX:
                    raise ChannelThrottledError(to, retry_after_s=wait_s)
                await asyncio.sleep(wait_s)
            yield

    def be_quiet(self, wait_s: float) -> None:
        """No calls from now on, for so long."""
        self._quiet_until_s = max(self._quiet_until_s, time.monotonic() + wait_s)
