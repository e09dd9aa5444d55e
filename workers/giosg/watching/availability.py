"""Whether agents are there: the room's own word, asked once for all who want to know within some seconds.

Source: specs/giosg.md sections 3.6, 6.2 and 7.1.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import structlog

from broker.errors import BackboneError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.connection import GiosgConnection

log = structlog.get_logger()


class Available(NamedTuple):
    """``available``: a chat can be opened now, None: giosg did not say. ``humans``: not only bots are there."""

    available: bool | None
    humans: bool | None
    checked_at_ms: int


class Availability:
    """Remembers what giosg said for ``availability_cache_seconds``, and that it said nothing as well."""

    def __init__(self, apis: Apis) -> None:
        self._apis = apis
        self._found: dict[str, Available] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def check(self, connection: GiosgConnection, *, is_fresh: bool = False) -> Available:
        """Never raises for giosg's sake. ``is_fresh``: what was found before this call does not count."""
        since_ms = now_ms() - (0 if is_fresh else connection.availability_cache_seconds * 1_000)
        async with self._asking.setdefault(connection.name, asyncio.Lock()):
            found = self._found.get(connection.name)
            if found is None or found.checked_at_ms < since_ms:
                found = self._found[connection.name] = await self._ask(connection.name)
            return found

    async def _ask(self, name: str) -> Available:
        try:
            room = await self._apis.of(name).room()
        except BackboneError as error:
            log.warning("availability_unknown", connection=name, error_code=error.code)
            return Available(None, None, now_ms())
        return Available(room.is_online, room.is_humans_online, now_ms())
