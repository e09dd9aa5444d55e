"""What is broken during a chaos run, and when: drawn from a seed, so that a run can be played again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from tests.bench.giosg_fire.stage import GIOSG_WORKERS, HTTP_TIMEOUT_S, ROOMS, Stage

PAUSE_S = (0.2, 0.8)
MODE_S = (0.5, 2.0)
KILLED = (*GIOSG_WORKERS, "linker", "bot", "server")
LATE_MS = round(HTTP_TIMEOUT_S * 1_000) + 400
"""Later than the adapter waits."""
FAULTS: Mapping[str, dict[str, object]] = {
    "dropped before": {"drop": True, "count": 3},
    "dropped after": {"drop": True, "processed": True, "count": 2},
    "timeout before": {"delay_ms": LATE_MS, "count": 2},
    "timeout after": {"delay_ms": LATE_MS, "processed": True, "count": 2},
    "503": {"status": 503, "count": 3},
    "500 after": {"status": 500, "processed": True},
    "429": {"status": 429, "headers": {"Retry-After": "1"}, "count": 2},
    "truncated": {"truncate": True, "processed": True},
    "cut": {"cut": True, "processed": True},
}
TARGETS = (("POST", "/messages"), ("POST", "/chats"), ("*", "*"))
"""Where a fault strikes: C9, C6, or whatever is called next."""
TARGET_WEIGHTS = (5, 3, 2)
MODES: Mapping[str, dict[str, object]] = {
    "webhooks late": {"delay_ms": 700},
    "webhooks thrice": {"copies": 3},
    "webhooks reordered": {"reorder_window_ms": 400},
    "webhooks lost": {"drop_rate": 0.4},
    "webhooks refused": {"refused": True},
    "echo before": {"echo": "before"},
    "echo after": {"echo": "after", "echo_after_ms": 800},
}
FRIENDLY: Mapping[str, object] = {
    "delay_ms": 0,
    "copies": 1,
    "reorder_window_ms": 0,
    "drop_rate": 0,
    "refused": False,
    "echo": "immediate",
    "retry_schedule_ms": [],
}
RETRIES_MS: tuple[list[int], ...] = ([], [300, 1_000])
"""Nothing is known of giosg's, so both: none, and some."""
OUTAGES = ("giosg away", "workers away", "server away")


class Trouble:
    """Breaks one thing after another until it is stopped, and counts what it broke.

    ``outage_s``: how long the longest outage is. ``haste``: how much shorter pauses and lesser troubles are.
    """

    def __init__(self, stage: Stage, seed: int, *, outage_s: float, haste: float = 1.0) -> None:
        self.broken: Counter[str] = Counter()
        self._stage = stage
        self._outage_s = outage_s
        self._haste = haste
        self._random = random.Random(seed)  # noqa: S311 - a seed, not a secret

    @property
    def kills(self) -> int:
        """How many processes were ended with kill -9."""
        counted = sum(count for name, count in self.broken.items() if name.startswith("kill "))
        return counted + self.broken["server away"] + len(GIOSG_WORKERS) * self.broken["workers away"]

    async def make(self, stop: asyncio.Event) -> None:
        """Go on until ``stop`` is set and every way had its turn; then nothing is broken any more."""
        ways, is_first = self._ways(), True
        while ways or not stop.is_set():
            if not ways:
                ways, is_first = self._ways(), False
            if stop.is_set() and not is_first:
                break
            await ways.pop()()
            await asyncio.sleep(self._random.uniform(*PAUSE_S) / self._haste)
        await self.calm()

    async def calm(self) -> None:
        """Nothing is broken, and webhooks come."""
        await self._stage.giosg.clear_faults()
        await self._stage.subscribe(self._ports(), **FRIENDLY)

    def _ways(self) -> list[Callable[[], Awaitable[None]]]:
        """Every way once, in an order of its own, before any of them a second time."""
        ways = [*map(self._killing, KILLED), *map(self._failing, FAULTS), *map(self._serving, MODES)]
        ways += [self._expired, self._giosg_away, self._workers_away, self._server_away]
        self._random.shuffle(ways)
        return ways

    def _killing(self, name: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            self.broken[f"kill {name}"] += 1
            await self._stage.restart(name)

        return kill

    def _failing(self, name: str) -> Callable[[], Awaitable[None]]:
        async def fail() -> None:
            self.broken[name] += 1
            method, path = self._random.choices(TARGETS, TARGET_WEIGHTS)[0]
            await self._stage.giosg.fault(method=method, path=path, **FAULTS[name])

        return fail

    def _serving(self, name: str) -> Callable[[], Awaitable[None]]:
        async def serve() -> None:
            self.broken[name] += 1
            await self._stage.subscribe(self._ports(), **MODES[name])
            await asyncio.sleep(self._random.uniform(*MODE_S) / self._haste)
            again = {**FRIENDLY, "retry_schedule_ms": self._random.choice(RETRIES_MS)}
            await self._stage.subscribe(self._ports(), **again)

        return serve

    def _ports(self) -> dict[str, int]:
        """Any worker gets any webhook, as behind a balancer."""
        return {
            f"{one}/{kind}": self._random.choice(self._stage.ports) for one in ROOMS for kind in ("chats", "messages")
        }

    async def _expired(self) -> None:
        self.broken["tokens expired"] += 1
        await self._stage.giosg.expire_visitor_tokens()

    async def _giosg_away(self) -> None:
        self.broken["giosg away"] += 1
        await self._stage.giosg.fault(drop=True, count=None)
        await asyncio.sleep(self._away_s())
        await self._stage.giosg.clear_faults()

    async def _workers_away(self) -> None:
        self.broken["workers away"] += 1
        await self._stage.restart_all(GIOSG_WORKERS, away_s=self._away_s())

    async def _server_away(self) -> None:
        self.broken["server away"] += 1
        await self._stage.restart("server", away_s=self._away_s())

    def _away_s(self) -> float:
        return self._random.uniform(self._outage_s / 2, self._outage_s)
