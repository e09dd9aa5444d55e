"""Goes round the open cases of a connection again and again, in one process at a time.

Another process goes on where one died: the turn is due again at its moment, whoever had it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import structlog

from broker.errors import BackboneError
from broker.runtime.loop import where
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CaseStore, Listed, now_ms
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.watching.turns import Turns

AT_ONCE_MAX = 8
"""Cases of one connection that are looked at at a time, where nothing else is said."""
FAILED_WAIT_S = 1.0

log = structlog.get_logger()

Look = Callable[[GiosgConnection, Listed, Case | None], Awaitable[None]]
"""Looks after one listed case; what it raises is logged, and the next round tries again."""


@dataclass(frozen=True, slots=True)
class Round:
    """What is done to each case, and how often."""

    name: str
    period_s: float
    look: Look
    at_once_max: int = AT_ONCE_MAX


class Rounds:
    """One connection, one round; made anew for each."""

    def __init__(self, store: CaseStore, turns: Turns, connection: GiosgConnection, each: Round) -> None:
        self._store = store
        self._turns = turns
        self._connection = connection
        self._round = each
        self._turn = f"{connection.name}.{each.name}"
        self._period_ms = max(1, int(each.period_s * 1_000))
        self._due_ms = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Go round at the start, and then whenever it is due and nobody else does, until ``stop`` is set."""
        is_first = True
        while not stop.is_set():
            try:
                wait_s = await self._turns.take(self._turn, self._period_ms, at_once=is_first) / 1_000
                if wait_s == 0:
                    is_first = False
                    await self._go_round(stop)
                    wait_s = max(0.0, (self._due_ms - now_ms()) / 1_000)
            except BackboneError as error:
                log.warning("round_not_made", round=self._turn, error_code=error.code)
                wait_s = FAILED_WAIT_S
            await pause(stop, wait_s)

    async def _go_round(self, stop: asyncio.Event) -> None:
        self._due_ms = now_ms() + self._period_ms
        left = iter(await self._store.listed(self._connection.name))
        await asyncio.gather(*(self._walk(left, stop) for _ in range(self._round.at_once_max)))

    async def _walk(self, left: Iterator[Listed], stop: asyncio.Event) -> None:
        for listed in left:
            if stop.is_set():
                return
            if now_ms() > self._due_ms - self._period_ms // 2:
                self._due_ms = now_ms() + self._period_ms
                await self._turns.keep(self._turn, self._period_ms)
            await self._look(listed)

    async def _look(self, listed: Listed) -> None:
        try:
            case = (await self._store.load(listed.session)).case
            await self._round.look(self._connection, listed, case)
        except BackboneError as error:
            log.warning("case_not_looked_after", session_id=listed.session[:8], error_code=error.code)
        except Exception as error:  # noqa: BLE001 - one case that cannot be read must not keep the others waiting
            fault = type(error).__name__
            log.error("case_look_failed", session_id=listed.session[:8], error_type=fault, where=where(error))


async def pause(stop: asyncio.Event, wait_s: float) -> None:
    """Wait so long, or until ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await stop.wait()
