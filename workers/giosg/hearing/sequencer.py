"""Puts what giosg tells of one chat into its order: webhooks come in any, and a visitor must not see that.

Source: specs/giosg.md section 6.3, last sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from broker.errors import BackboneError

WAIT_S = 1.0
WAITING_MAX = 500
"""Of one chat: with so many waiting, the oldest wait no longer."""

CHAT = 2
"""Of a place: ``behind`` of changes of the chat."""

Act = Callable[[], Awaitable[None]]


class Place(NamedTuple):
    """Where something stands among what comes with it.

    ``behind``: 0 for messages, 1 for what is about messages, 2 for changes of the chat; then giosg's moment, then the
    id, so that all processes agree.
    """

    behind: int
    at_ms: int
    id: str


@dataclass(slots=True, eq=False)
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
    """Each waits ``wait_s`` for those before it, and leaves together with them; nothing waits longer for others.

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
        _forget_the_first()
        try:
            while chat.entries:
                await self._wait_for_others(chat)
                failure = await _carry_out(self._due(chat))
                if failure is not None:
                    behind, chat.entries = chat.entries, []
                    for entry in behind:
                        _end(entry, failure)
        finally:
            del self._chats[name]
            for entry in chat.entries:
                entry.done.cancel()

    def _due(self, chat: _Chat) -> list[_Entry]:
        """What has waited long enough, and whatever stands before that; the others may still be overtaken."""
        since_s = asyncio.get_running_loop().time() - self._wait_s
        is_crowded = len(chat.entries) >= self._waiting_max
        waited = [chat.entries[0].place]
        waited += [one.place for one in chat.entries[1:] if is_crowded or one.arrived_s <= since_s]
        due = [one for one in chat.entries if any(_goes_before(one.place, place) for place in waited)]
        chat.entries = [one for one in chat.entries if one not in due]
        chat.crowded.clear()
        return sorted(due, key=lambda entry: entry.place)

    async def _wait_for_others(self, chat: _Chat) -> None:
        left_s = chat.entries[0].arrived_s + self._wait_s - asyncio.get_running_loop().time()
        if left_s > 0:
            try:
                async with asyncio.timeout(left_s):
                    await chat.crowded.wait()
            except TimeoutError:
                pass


def _goes_before(place: Place, due: Place) -> bool:
    """Whether what stands there leaves with what is due, since it would be overtaken otherwise.

    A change of the chat takes along what was said until then, and not what has come only now and may be overtaken.
    """
    if place > due:
        return False
    return place.behind == due.behind or (due.behind == CHAT and (not due.at_ms or place.at_ms <= due.at_ms))


async def _carry_out(batch: list[_Entry]) -> BackboneError | None:
    """One after another. What is to be tried again takes those behind it along, or these would overtake it.

    What that was, None: nothing.
    """
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
    return failure


def _forget_the_first() -> None:
    """What is logged from here on is not of the webhook alone that came first; the worker's name stays."""
    kept = {name: value for name, value in get_contextvars().items() if name == "worker"}
    clear_contextvars()
    bind_contextvars(**kept)


def _end(entry: _Entry, error: Exception | None) -> None:
    if entry.done.done():
        return
    if error is None:
        entry.done.set_result(None)
    else:
        entry.done.set_exception(error)
