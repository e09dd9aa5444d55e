"""Orderly ends: a stop signal becomes an event."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import structlog

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def stop_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set; a second signal ends the process as if this were not here."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)

    def stop_now(number: signal.Signals) -> None:
        log.info("stop_requested", signal=number.name)
        stop.set()
        for one in handled:
            loop.remove_signal_handler(one)

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C then raises KeyboardInterrupt
        for number in handled:
            loop.add_signal_handler(number, stop_now, number)
    try:
        yield stop
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in handled:
                loop.remove_signal_handler(number)
