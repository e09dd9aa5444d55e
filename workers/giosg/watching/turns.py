"""Whose turn it is to look after a connection: one key with the next due moment, changed by compare-and-set.

A process that dies leaves its turn to whoever looks next, once it is due.
"""

from __future__ import annotations

from broker.errors import ConflictError
from broker.transport.records import Records
from workers.giosg.cases.store import now_ms

KEPT_S = 60
"""Beyond its period; a key that is gone is a turn that is free."""


class Turns:
    """The turns in bucket CHATS_giosg: ``turn.<connection>.<what is done>``."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def take(self, turn: str, period_ms: int, *, at_once: bool = False) -> int:
        """0 where the turn is ours, and nobody else's for the period; else the milliseconds until it is free.

        ``at_once`` takes it though it is not due, as after a start.
        """
        key, now = f"turn.{turn}", now_ms()
        found = await self._records.read(key)
        due_ms = 0 if found.value is None else min(int(found.value), now + period_ms)
        if due_ms > now and not at_once:
            return due_ms - now
        return 0 if await self._write(key, period_ms, revision=found.revision) else period_ms

    async def keep(self, turn: str, period_ms: int) -> None:
        """Ours for another period; it lasts longer than was thought."""
        await self._write(f"turn.{turn}", period_ms, revision=None)

    async def _write(self, key: str, period_ms: int, *, revision: int | None) -> bool:
        due, ttl_s = str(now_ms() + period_ms), KEPT_S + period_ms // 1_000
        try:
            await self._records.write(key, due.encode(), revision=revision, ttl_s=ttl_s)
        except ConflictError:
            return False
        return True
