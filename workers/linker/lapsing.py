"""Drops registrations of one time for which nothing came, and reports each once, however many linkers run.

Routing does not depend on it: whether a wait was over is judged by the event's own time. So one that has lapsed is kept
for a while, for events that are older than its end and still on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import structlog

from broker.codec import MSGPACK, decode, encode
from broker.domain import headers as names
from broker.domain.ids import OrgId
from broker.domain.registrations import RegistrationRecord, to_registration
from broker.domain.subjects import CommandSubject
from broker.domain.wire import dump, validate
from broker.errors import BackboneError, BusError, ConflictError
from broker.runtime.deadletters import DeadLetters, Original
from broker.transport.records import Records
from broker.transport.topology import stream_of
from workers.linker.directory import USED_TTL_S, Directory

LOOK_S = 0.5
GRACE_MS = 1_000
"""An event of the last moment is likely to be through by then, and the report is right."""
REPORTED_TTL_S = 3_600
TIMED_OUT = "registration_timed_out"

log = structlog.get_logger()


class Lapsing:
    """Marks by compare-and-set, reports, marks as reported: wherever it stops, the next linker to look goes on."""

    def __init__(self, directory: Directory, registrations: Records, dead_letters: DeadLetters) -> None:
        self._directory = directory
        self._records = registrations
        self._dead_letters = dead_letters

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look again and again until the end of the block."""
        task = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            until_ms = time.time_ns() // 1_000_000 - GRACE_MS
            while (due := self._directory.waits.take(until_ms)) is not None:
                try:
                    await self.end(*due, now_ms=until_ms)
                except ConflictError:
                    continue  # it was used, made again or marked by another linker: its change brings it back
                except BusError as error:
                    log.warning("registration_kept", registration_id=due[1], error_code=error.code)
                    self._directory.waits.put_back(until_ms, *due)
                    break
                except BackboneError as error:
                    log.error("registration_kept", registration_id=due[1], error_code=error.code)

    async def end(self, org: OrgId, registration_id: str, *, now_ms: int) -> None:
        """End one wait, if it is over and nobody has ended it.

        Raises:
            ConflictError: somebody has changed the registration in this instant.
        """
        key = f"{org}.{registration_id}"
        found = await self._records.read(key)
        if found.value is None:
            return
        record, revision = validate(RegistrationRecord, decode(found.value), what="registration record"), found.revision
        until_ms = to_registration(record).until_ms
        if until_ms is None or until_ms > now_ms or record.used_by is not None or record.lapse == "reported":
            return
        if record.lapse is None:
            record = record.model_copy(update={"lapse": "lapsed"})
            revision = await self._records.write(key, encode(dump(record)), revision=revision, ttl_s=USED_TTL_S)
        detail = f"registration {registration_id} of stub {record.stub} waited until {until_ms} ms, and nothing came"
        await self._dead_letters.keep(self._original(record, revision), code=TIMED_OUT, detail=detail)
        reported = encode(dump(record.model_copy(update={"lapse": "reported"})))
        await self._records.write(key, reported, revision=revision, ttl_s=REPORTED_TTL_S)

    def _original(self, record: RegistrationRecord, revision: int) -> Original:
        """The registration as it was asked for; its place is that of the mark, the same for whoever reports it."""
        task = {"tasktype": "heimdall_register", "params": dump(record.params)}
        return Original(
            subject=str(CommandSubject(OrgId(record.org), "register")),
            stream=stream_of(self._records.bucket),
            sequence=revision,
            data=encode(task),
            headers={names.STUB: record.stub, names.CONTENT_TYPE: MSGPACK},
            stored_at_ms=record.made_at_ms or 0,
        )
