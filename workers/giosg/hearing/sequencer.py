"""Puts what giosg tells of one chat into its order: webhooks come in any, and a visitor must not see that.

Source: specs/giosg.md section 6.3, last sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from structlog.contextvars import clear_contextvars

from broker.errors import BackboneError

WAIT_S = 1.0
WAITING_MAX = 500
"""Of one chat: with so many waiting, the oldest wait no longer."""

Act = Callable[[], Awaitable[None]]


class Place(NamedTuple):
    """Where something stands among what comes with it.

    ``behind``: 0 for messages, 1 for what is about messages, 2 for changes of the chat; then giosg's moment, then the
    id, so that all processes agree.
    """

    behind: int
    at_ms: int
    id: str


@dataclass(slots=True)
class _Entry:
    place: Place
    act: Act
    arrived_s: float
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Chat:
    entries: list[_Entry] = field(default_factory=list)
    crowded: asyncio.Event = field(default_factory=asyncio.Event)


class Sequencer:
    """What arrives within ``wait_s`` of the first leaves in order; nothing waits longer for others.

    In memory: whoever waits here has not been acknowledged, so it comes again if the process ends.
    """

    def __init__(self, *, wait_s: float = WAIT_S, waiting_max: int = WAITING_MAX) -> None:
        self._wait_s = wait_s
        self._waiting_max = waiting_max
        self._chats: dict[str, _Chat] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def deliver(self, chat: str, place: Place, act: Act) -> None:
        """Return when ``act`` was done in its turn; raises what it raises, or what the one before it failed with."""
        loop = asyncio.get_running_loop()
        entry = _Entry(place, act, loop.time(), loop.create_future())
        standing = self._chats.get(chat)
        if standing is None:
            standing = self._chats[chat] = _Chat()
            task = asyncio.create_task(self._work(chat, standing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        standing.entries.append(entry)
        if len(standing.entries) >= self._waiting_max:
            standing.crowded.set()
        await entry.done

    async def _work(self, name: str, chat: _Chat) -> None:
        clear_contextvars()  # what it does here is not of the webhook alone that came first
        try:
            while chat.entries:
                await self._wait_for_others(chat)
                batch, chat.entries = sorted(chat.entries, key=lambda entry: entry.place), []
                chat.crowded.clear()
                await _carry_out(batch)
        finally:
            del self._chats[name]
            for entry in chat.entries:
                entry.done.cancel()

    async def _wait_for_others(self, chat: _Chat) -> None:
        left_s = chat.entries[0].arrived_s + self._wait_s - asyncio.get_running_loop().time()
        if left_s > 0:
            try:
                async with asyncio.timeout(left_s):
                    await chat.crowded.wait()
            except TimeoutError:
                pass


async def _carry_out(batch: list[_Entry]) -> None:
    """One after another. What is to be tried again takes those behind it along, or these would overtake it."""
    failure: BackboneError | None = None
    for entry in batch:
        if entry.done.done():
            continue  # whoever waited for it is gone; it comes again
        if failure is not None:
            entry.done.set_exception(failure)
            continue
        try:
            await entry.act()
        except BackboneError as error:
            failure = error if error.retryable else None
            _end(entry, error)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            _end(entry, error)
        else:
            _end(entry, None)


def _end(entry: _Entry, error: Exception | None) -> None:
    if entry.done.done():
        return
    if error is None:
        entry.done.set_result(None)
    else:
        entry.done.set_exception(error)
