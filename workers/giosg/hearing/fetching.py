"""One fetch at a time of each thing: whoever asks while it is under way has to wait for the next, all for the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Found = TypeVar("Found")


@dataclass(slots=True)
class _Flight(Generic[Found]):
    current: asyncio.Task[Found]
    following: asyncio.Task[Found] | None = None


class Fetching(Generic[Found]):
    """What is asked for while a fetch is under way may be younger than its answer, so exactly one more follows.

    Source: specs/giosg.md section 4.5.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[Found]] = {}

    async def fetch(self, key: str, call: Callable[[], Awaitable[Found]]) -> Found:
        """What a call that begins from now on answers; raises what it raises."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(_run(call)))
            flight.current.add_done_callback(lambda _: self._landed(key))
            return await asyncio.shield(flight.current)
        if flight.following is None:
            flight.following = asyncio.ensure_future(_after(flight.current, call))
        return await asyncio.shield(flight.following)

    def _landed(self, key: str) -> None:
        flight = self._flights.pop(key)
        if not flight.current.cancelled():
            flight.current.exception()  # whoever waited for it may be gone, and nobody else has to hear of it
        if flight.following is not None:
            self._flights[key] = following = _Flight(flight.following)
            following.current.add_done_callback(lambda _: self._landed(key))


async def _run(call: Callable[[], Awaitable[Found]]) -> Found:
    return await call()


async def _after(before: asyncio.Task[Found], call: Callable[[], Awaitable[Found]]) -> Found:
    await asyncio.wait({before})
    return await call()
