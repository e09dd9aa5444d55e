"""What is broken during a chaos run, and when: drawn from a seed, so that a run can be played again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from tests.bench.webim_fire.stage import Stage
from tests.standins.webim_control import Second

PAUSE_S = (0.2, 1.0)
AWAY_S = (1.0, 4.0)
KILLED = ("webim0", "webim1", "program", "linker", "server")
FAULTS: Mapping[str, dict[str, object]] = {
    "503": {"status": 503, "count": 3},
    "refused connection": {"close_connection": True, "count": 3},
    "lost answer": {"close_connection": True, "taken": True},
    "cut answer": {"truncate": True, "taken": True},
    "late answer": {"delay_ms": 400, "taken": True, "count": 3},
    "late call": {"delay_ms": 400, "count": 3},
    "429": {"retry_after": 1},
    "gateway page": {"status": 502, "html_body": True},
}
SECONDS: tuple[Second, ...] = ("next", "together", "late")
SENDING = "/api/bot/v2/"
LOOKING = "/api/v2/"
"""Faults are for calls that send, but now and then also for the look at what was sent."""


class Trouble:
    """Breaks one thing after another until it is stopped, and counts what it broke."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.broken: Counter[str] = Counter()
        self._stage = stage
        self._random = random.Random(seed)  # noqa: S311 - a seed, not a secret

    @property
    def kills(self) -> int:
        """How many processes were ended with kill -9."""
        return sum(count for name, count in self.broken.items() if name.startswith("kill "))

    async def make(self, stop: asyncio.Event) -> None:
        """Go on until ``stop`` is set; then nothing is broken any more."""
        ways: list[Callable[[], Awaitable[None]]] = []
        while not stop.is_set():
            if not ways:  # every way once, in an order of its own, before any of them a second time
                ways = [*(self._killing(name) for name in KILLED), *(self._failing(name) for name in FAULTS)]
                ways += [self._away, self._duplicates]
                self._random.shuffle(ways)
            await ways.pop()()
            await _wait(stop, self._random.uniform(*PAUSE_S))
        await self._stage.webim.clear_faults()
        await self._stage.webim.mode("normal")

    def _killing(self, name: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            self.broken[f"kill {name}"] += 1
            await self._stage.restart(name)

        return kill

    def _failing(self, name: str) -> Callable[[], Awaitable[None]]:
        async def fail() -> None:
            self.broken[name] += 1
            path = SENDING if self._random.random() < 0.8 else LOOKING
            await self._stage.webim.fault(path=path, **FAULTS[name])

        return fail

    async def _away(self) -> None:
        self.broken["away"] += 1
        await self._stage.webim.fault(close_connection=True, count=None)
        await asyncio.sleep(self._random.uniform(*AWAY_S))
        await self._stage.webim.clear_faults()

    async def _duplicates(self) -> None:
        """From now on every event comes twice, in one of three ways; or no longer."""
        self.broken["duplicates"] += 1
        mode = "duplicate" if self.broken["duplicates"] % 2 else "normal"
        await self._stage.webim.mode(mode, second=self._random.choice(SECONDS))


async def _wait(stop: asyncio.Event, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await stop.wait()
    except TimeoutError:
        pass
