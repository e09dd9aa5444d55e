"""Counts the beginnings of a run that no process survives, so that it ends as well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.domain.ids import ActionName, Stub
from broker.errors import BackboneError, RunAbandonedError
from broker.kit.bus import ServiceBus
from broker.kit.records import StubRecord

ATTEMPTS_MAX = 3
TAKE_BACK_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Begun:
    """A stub's record as it is once the run is begun, and the revision that its save must name."""

    record: StubRecord
    revision: int


class Attempts:
    """The count stands in the stub's own record, written before the run.

    Only what lay in the stream when this process took its consumers is counted: a run that ended a process is among
    that at the next take, and live runs pay nothing. A run that was begun before, and not finished, is a suspect.
    Suspects run one at a time, so the next count goes to the guilty one and not to its neighbours.
    """

    def __init__(self, bus: ServiceBus, *, attempts_max: int = ATTEMPTS_MAX) -> None:
        self._bus = bus
        self._attempts_max = attempts_max
        self._backlog_end: int | None = None
        self._counted: dict[str, int] = {}
        self._looking = asyncio.Lock()
        self._alone = asyncio.Lock()

    def retaken(self, _taken: object) -> None:
        """A consumer is taken (again): whoever had it may have ended by one of its runs."""
        self._backlog_end = None
        self._counted.clear()

    @contextlib.asynccontextmanager
    async def begin(
        self, stub: Stub, action: ActionName, record: StubRecord, *, revision: int, sequence: int
    ) -> AsyncIterator[Begun]:
        """The run is begun in the block; where it counts, that is kept first.

        Raises:
            RunAbandonedError: it was begun too often.
            ConflictError: somebody else has written the record.
        """
        if sequence > await self._end_of_backlog():
            yield Begun(record, revision)
            return
        count = record.begun_count if record.begun_sequence == sequence else 0
        is_counted = self._counted.get(str(stub)) == sequence
        if count >= self._attempts_max and not is_counted:
            raise RunAbandonedError(action, stub=str(stub), attempts=count)
        async with self._alone if count else contextlib.nullcontext():
            if not is_counted:
                record = record.model_copy(update={"begun_sequence": sequence, "begun_count": count + 1})
                revision = await self._bus.save(stub, record, revision=revision)
                self._counted[str(stub)] = sequence
            try:
                yield Begun(record, revision)
            except asyncio.CancelledError:
                await self._take_back(stub, record, revision)
                raise

    async def _take_back(self, stub: Stub, record: StubRecord, revision: int) -> None:
        """The process stops in good order, or gives the stub to another, and cuts the run off: not the run's fault."""
        record = record.model_copy(update={"begun_count": record.begun_count - 1})
        with contextlib.suppress(BackboneError, TimeoutError):
            async with asyncio.timeout(TAKE_BACK_WAIT_S):
                await self._bus.save(stub, record, revision=revision)

    async def _end_of_backlog(self) -> int:
        """The last sequence at the latest take, or a little later."""
        async with self._looking:
            if self._backlog_end is None:
                self._backlog_end = await self._bus.last_run()
            return self._backlog_end
