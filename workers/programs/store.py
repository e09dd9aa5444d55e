"""What bucket PROGRAMS holds, live; and a deployment while this process works on it, compare-and-set."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import structlog

from broker.codec import decode, encode
from broker.domain.deployments import (
    DEPLOYMENT,
    FOLLOW,
    PROJECT,
    VERSION,
    Deployment,
    Follow,
    Version,
    deployment_key,
    project_key,
    version_key,
)
from broker.domain.wire import Wire, dump, validate
from broker.errors import BackboneError, ConflictError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table

PROJECT_KEPT_S = 600
"""How long other workers leave an org's deployments to one that is gone: it may be starting anew."""

log = structlog.get_logger()

W = TypeVar("W", bound=Wire)


@dataclass(frozen=True, slots=True)
class Seen:
    """A deployment as it is kept, and since when (on this process's clock) nobody has written it."""

    deployment: Deployment
    revision: int
    since_s: float


class ProgramStore:
    """Look-ups without a round trip; a change is seen some milliseconds after it was made."""

    def __init__(self, connection: Connection, records: Records) -> None:
        self.deployments: dict[str, Seen] = {}
        self.follows: dict[str, Follow] = {}
        self.versions: dict[str, Version] = {}
        self.projects: set[str] = set()
        """The orgs that some worker has the project of."""
        self._records = records
        self._table = Table(connection, records, on_change=self._note)
        self._watches: list[asyncio.Event] = []

    async def __aenter__(self) -> Self:
        await self._table.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._table.stop()

    def watch(self) -> asyncio.Event:
        """An event that is set whenever anything changed; whoever waits for it clears it."""
        watch = asyncio.Event()
        self._watches.append(watch)
        return watch

    async def wait_for(self, revision: int) -> None:
        """Return when the write with that revision is seen here, or after a while."""
        with contextlib.suppress(TimeoutError):
            await self._table.wait_for(revision)

    def of_channels(self) -> dict[tuple[str, str], list[Deployment]]:
        """Every channel's deployments, by org and channel id."""
        found: dict[tuple[str, str], list[Deployment]] = {}
        for seen in self.deployments.values():
            found.setdefault((seen.deployment.org, seen.deployment.channel_id), []).append(seen.deployment)
        return found

    async def create(self, deployment: Deployment) -> bool:
        """Ask for a deployment; False if one of that id was asked for before."""
        key = deployment_key(deployment.org, deployment.channel_id, deployment.id)
        try:
            await self._records.write(key, encode(dump(deployment)), revision=0)
        except ConflictError:
            return False
        return True

    async def take(self, seen: Seen, *, worker: str) -> Held | None:
        """Begin to work on a deployment; None if another process was quicker."""
        changes = {
            "status": "running",
            "worker": worker,
            "beat_at_ms": time.time_ns() // 1_000_000,
            "begun": seen.deployment.begun + 1,
        }
        held = Held(self._records, seen.deployment.model_copy(update=changes), seen.revision)
        try:
            await held.save()
        except ConflictError:
            return None
        return held

    async def keep_version(self, version: Version) -> None:
        """Note that a version is made ready: from here on somebody looks after it until nothing needs it."""
        await self._records.write(version_key(version), encode(dump(version)), revision=None)

    async def announce_project(self, org: str) -> None:
        """Tell the other workers that this one has the org's project; to be said again while it holds."""
        await self._records.write(project_key(org), b"", revision=None, ttl_s=PROJECT_KEPT_S)

    async def forget_version(self, version: Version) -> None:
        """Nothing is left of it."""
        await self._records.delete(version_key(version))

    async def forget_deployments(self, deployments: Iterable[Deployment]) -> None:
        """Remove records of deployments, unless somebody has just written them."""
        for one in deployments:
            key = deployment_key(one.org, one.channel_id, one.id)
            seen = self.deployments.get(key)
            if seen is not None:
                await self._remove(key, seen.revision)

    async def _remove(self, key: str, revision: int) -> None:
        try:
            await self._records.delete(key, revision=revision)
        except ConflictError:
            log.debug("deployment_written_elsewhere", key=key)

    def _note(self, key: str, value: bytes | None) -> None:
        org, _, rest = key.partition(".")
        kind = rest.partition(".")[0]
        try:
            if kind == DEPLOYMENT:
                self._note_deployment(key, value)
            elif kind == FOLLOW:
                _put(self.follows, key, None if value is None else validate(Follow, decode(value), what=FOLLOW))
            elif kind == PROJECT:
                _mark(self.projects, org, is_there=value is not None)
            elif kind == VERSION:
                _put(self.versions, key, None if value is None else validate(Version, decode(value), what=VERSION))
        except BackboneError as error:
            log.error("program_record_refused", key=key, error_code=error.code)
            return
        for watch in self._watches:
            watch.set()

    def _note_deployment(self, key: str, value: bytes | None) -> None:
        if value is None:
            self.deployments.pop(key, None)
            return
        entry = self._table.get(key)
        revision = 0 if entry is None else entry.revision
        found = validate(Deployment, decode(value), what=DEPLOYMENT)
        self.deployments[key] = Seen(found, revision, asyncio.get_running_loop().time())


class Held:
    """A deployment that this process works on; ``deployment`` is what the next save writes."""

    def __init__(self, records: Records, deployment: Deployment, revision: int) -> None:
        self.deployment = deployment
        self._records = records
        self._revision = revision
        self._saving = asyncio.Lock()

    def change(self, **changes: object) -> None:
        """Remember for the next save."""
        self.deployment = self.deployment.model_copy(update=changes)

    async def save(self) -> int:
        """Keep it as it is now; the new revision.

        Raises:
            ConflictError: it was removed, or another process works on it now.
        """
        async with self._saving:
            one = self.deployment
            key = deployment_key(one.org, one.channel_id, one.id)
            value = encode(dump(one))
            try:
                self._revision = await self._records.write(key, value, revision=self._revision)
            except ConflictError:
                self._revision = await self._after_unheard(key)
                self._revision = await self._records.write(key, value, revision=self._revision)
            return self._revision

    async def _after_unheard(self, key: str) -> int:
        """The revision of a write of our own whose acknowledgement was lost; anybody else's is a conflict."""
        found = await self._records.read(key)
        if found.value is not None:
            other = validate(Deployment, decode(found.value), what=DEPLOYMENT)
            if other.worker == self.deployment.worker and other.begun == self.deployment.begun:
                return found.revision
        raise ConflictError(key)


def _put(kept: dict[str, W], key: str, value: W | None) -> None:
    if value is None:
        kept.pop(key, None)
    else:
        kept[key] = value


def _mark(kept: set[str], org: str, *, is_there: bool) -> None:
    if is_there:
        kept.add(org)
    else:
        kept.discard(org)
