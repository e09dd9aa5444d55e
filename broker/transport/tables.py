"""A small bucket held in memory and kept current, for lookups that must not cost a round trip."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.records import Entry, Records
from broker.transport.topology import stream_of

AGAIN_WAIT_S = 1.0


class Table:
    """Every live key of one bucket. For buckets that grow with chats and registrations, never with sessions.

    ``pattern`` (in NATS spelling) narrows it down to some keys.

    ``on_change`` is called with each key that changes and its value, None where it was removed. After each reconnect
    all of it is read anew: the server forgets a deletion after a minute, and a longer absence would miss it.
    """

    def __init__(
        self,
        connection: Connection,
        records: Records,
        *,
        on_change: Callable[[str, bytes | None], None] | None = None,
        pattern: str = ">",
    ) -> None:
        self.revision = 0
        self._connection = connection
        self._on_change = on_change
        self._records = records
        self._pattern = pattern
        self._entries: dict[str, Entry] = {}
        self._changed = asyncio.Condition()
        self._seen: set[str] = set()
        self._reader = self._new_reader()
        self._reconnected = asyncio.Event()
        self._end_watch: Callable[[], None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when everything stored is loaded."""
        self._end_watch = self._connection.on_reconnect(self._reconnected.set)
        await self._reader.start()
        await self._reader.caught_up.wait()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End following; what was loaded stays readable."""
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
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

    def _new_reader(self) -> LogReader:
        stream, pattern = stream_of(self._records.bucket), f"$KV.{self._records.bucket}.{self._pattern}"
        return LogReader(self._connection, stream, self._accept, filters=(pattern,), last_per_subject=True)

    async def _keep(self) -> None:
        """Read all of it anew after each reconnect; ends with stop()."""
        while self._end_watch is not None:
            await self._reconnected.wait()
            self._reconnected.clear()
            await self._reader.stop()
            before = dict(self._entries)
            self._seen.clear()
            self._reader = self._new_reader()
            while True:
                with contextlib.suppress(BackboneError):  # the server went away again, or is not ready yet
                    await self._reader.start()
                    break
                await asyncio.sleep(AGAIN_WAIT_S)
            await self._reader.caught_up.wait()
            for key, entry in before.items():
                if key not in self._seen and self._entries.get(key) is entry:
                    self._put(key, None)

    async def _accept(self, message: StoredMessage) -> None:
        key = self._records.key(message)
        self._seen.add(key)
        if message.sequence <= self.revision:
            return  # read before
        self._put(key, self._records.entry(message))
        self.revision = message.sequence
        async with self._changed:
            self._changed.notify_all()

    def _put(self, key: str, entry: Entry | None) -> None:
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
        if self._on_change is not None:
            self._on_change(key, None if entry is None else entry.value)
