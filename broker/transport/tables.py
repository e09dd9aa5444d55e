"""A small bucket held in memory and kept current, for lookups that must not cost a round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.records import Entry, Records
from broker.transport.topology import stream_of


class Table:
    """Every live key of one bucket. For buckets that grow with chats and registrations, never with sessions.

    ``on_change`` is called with each key that changes and its value, None where it was removed.
    """

    def __init__(
        self,
        connection: Connection,
        records: Records,
        *,
        on_change: Callable[[str, bytes | None], None] | None = None,
    ) -> None:
        self.revision = 0
        self._on_change = on_change
        self._records = records
        self._entries: dict[str, Entry] = {}
        self._changed = asyncio.Condition()
        pattern = f"$KV.{records.bucket}.>"
        self._reader = LogReader(
            connection, stream_of(records.bucket), self._accept, filters=(pattern,), last_per_subject=True
        )

    async def start(self) -> None:
        """Return when everything stored is loaded."""
        await self._reader.start()
        await self._reader.caught_up.wait()

    async def stop(self) -> None:
        """End following; what was loaded stays readable."""
        await self._reader.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def get(self, key: str) -> Entry | None:
        """The live value, None if there is none."""
        return self._entries.get(key)

    def items(self) -> list[Entry]:
        """Every live key, oldest write first."""
        return sorted(self._entries.values(), key=lambda entry: entry.revision)

    async def wait_for(self, revision: int, *, wait_s: float = 5.0) -> None:
        """Return when the write with that revision (or a later one) is seen; TimeoutError after ``wait_s``."""
        async with asyncio.timeout(wait_s), self._changed:
            await self._changed.wait_for(lambda: self.revision >= revision)

    async def _accept(self, message: StoredMessage) -> None:
        entry = self._records.entry(message)
        if entry is None:
            self._entries.pop(self._records.key(message), None)
        else:
            self._entries[entry.key] = entry
        self.revision = message.sequence
        if self._on_change is not None:
            self._on_change(self._records.key(message), None if entry is None else entry.value)
        async with self._changed:
            self._changed.notify_all()
