"""What keeps a reader of a stream alive: take, wait until it cannot be trusted, take again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.requests import PullRequests

AGAIN_WAIT_S = 0.25
AGAIN_WAIT_S_MAX = 5.0
STABLE_S = 1.0
"""What is lost sooner counts as a failure, so two owners that fight over a consumer do not spin."""

log = structlog.get_logger(__name__)


class Keeper:
    """Runs ``take`` at the start and whenever its pull requests are lost, with growing pauses while it fails."""

    def __init__(self, connection: Connection, what: str, take: Callable[[], Awaitable[PullRequests]]) -> None:
        self._connection = connection
        self._what = what
        self._take = take
        self._requests: PullRequests | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take once, and raise what that raises; from then on failures are logged and tried again."""
        self._requests = await self._take()
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Take no more; harmless when never started."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._close()

    async def _close(self) -> None:
        requests, self._requests = self._requests, None
        if requests is not None:
            await requests.close()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures, taken_s = 0, loop.time()
        while True:
            if self._requests is not None:
                await self._requests.lost.wait()
                failures = failures + 1 if loop.time() - taken_s < STABLE_S else 0
            # The old inbox goes before the consumer is touched: nothing old may come after something new.
            await self._close()
            await asyncio.sleep(_wait_s(failures))
            await self._connection.wait_connected()
            try:
                self._requests = await self._take()
            except BackboneError as error:
                log.warning("consumer_not_taken", consumer=self._what, error_code=error.code, error=str(error))
                failures += 1
            else:
                log.info("consumer_retaken", consumer=self._what)
                taken_s = loop.time()


def _wait_s(failures: int) -> float:
    # The exponent has its own bound: after an hour and a half of failures the power would be no float any more.
    return min(AGAIN_WAIT_S * 2 ** min(failures, 10), AGAIN_WAIT_S_MAX) if failures else 0.0
