"""Who works on what: membership of a group, and leases on its partitions, in a bucket with compare-and-set.

Only the member's own key has a time to live; the lease of a partition names a member and lasts as long as that
member's key. One renewal so keeps all partitions of a process, and it is as safe as one per partition: the owner
counts from the moment it sent the last renewal that succeeded, the others from the moment the server let the key
expire, which is later. A member that was late is gone for good: it comes back under a new name, so a lease of its
old name can be taken by anybody, and compare-and-set says by whom.

Source: nats-notes.md section 3.5.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog

from broker.codec import decode, encode
from broker.domain.wire import Wire, dump, validate
from broker.errors import BackboneError, BusError, ConflictError, NoAnswerError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Entry, Records
from broker.transport.tables import Table
from broker.transport.topology import LEASES

RENEWALS_PER_LEASE = 3
AGAIN_WAIT_S = 0.1
LEAVE_WAIT_S = 1.0

log = structlog.get_logger()


class Holder(Wire):
    """The value of a member's key and of a partition's: which process it is.

    ``leaving``: it gives back what it holds and wants nothing more.
    """

    member: str
    worker: str
    host: str
    pid: int
    since_ms: int
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What a group looks like from here: who may be given partitions, and who holds which."""

    members: frozenset[str]
    owners: Mapping[str, str]
    revisions: Mapping[str, int]


def member_key(group: str, member: str) -> str:
    """Where a member's presence is kept."""
    return f"member.{group}.{member}"


def partition_key(group: str, partition: str) -> str:
    """Where a partition's lease is kept."""
    return f"partition.{group}.{partition}"


class Membership:
    """One process's part in a group, from join() to leave(); the block does both.

    ``lost`` is set when the others may take what this one holds: stop at once, and join anew. ``on_change`` is called
    when the group changed, or the membership is lost. ``publisher`` should carry nothing else: a renewal must not wait
    behind other work.
    """

    def __init__(
        self, connection: Connection, publisher: Publisher, group: str, *, ttl_s: int, on_change: Callable[[], None]
    ) -> None:
        self.lost = asyncio.Event()
        self.member = uuid4().hex[:12]
        self._group = group
        self._ttl_s = ttl_s
        self._on_change = on_change
        self._records = Records(connection, publisher, LEASES)
        self._table = Table(connection, self._records, on_change=self._changed, pattern=f"*.{group}.*")
        self._known: dict[str, bytes] = {}
        self._holder = Holder(
            member=self.member, worker=connection.name, host=socket.gethostname(), pid=os.getpid(), since_ms=_now_ms()
        )
        self._revision = 0
        self._good_until_s = 0.0
        self._renewing = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Be known to the others, and know them.

        Raises:
            BusError: no bucket, no permission, no server.
        """
        sent_s = asyncio.get_running_loop().time()
        self._revision = await self._write_presence(revision=0)
        self._good_until_s = sent_s + self._ttl_s
        self._keeping = asyncio.create_task(self._keep())
        try:
            await self._table.start()
            await self._table.wait_for(self._revision)
        except TimeoutError as error:
            await self.leave()
            raise NoAnswerError(
                member_key(self._group, self.member), problem="what was written does not show"
            ) from error
        except BaseException:
            await self.leave()
            raise

    @property
    def good(self) -> bool:
        """Whether nobody else may take what is held; false from the moment on that a renewal is too late."""
        return not self.lost.is_set() and asyncio.get_running_loop().time() <= self._good_until_s

    async def announce_leaving(self) -> None:
        """Want nothing more; what is held stays held until it is given back."""
        self._holder = self._holder.model_copy(update={"leaving": True})
        await self._renew()

    async def leave(self) -> None:
        """Be gone; what is still held is free from then on. Never raises."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        await self._table.stop()
        if not self.lost.is_set():
            with contextlib.suppress(BackboneError, TimeoutError):
                async with asyncio.timeout(LEAVE_WAIT_S):
                    await self._records.delete(self._member_key(), revision=self._revision)

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def view(self, *, asked: bool) -> View:
        """The group now, as the watch has it, or ``asked`` anew: a watch may be blind for a while."""
        entries = await self._records.entries(f"*.{self._group}") if asked else self._table.items()
        present = dict(_below(member_key(self._group, ""), entries))
        leases = dict(_below(partition_key(self._group, ""), entries))
        return View(
            members=frozenset(member for member, (holder, _) in present.items() if not holder.leaving),
            owners={part: holder.member for part, (holder, _) in leases.items() if holder.member in present},
            revisions={part: revision for part, (_, revision) in leases.items()},
        )

    async def take(self, partition: str) -> int | None:
        """The lease's revision; None where somebody who is present has it, or was quicker.

        Raises:
            BusError: the server is away, or does not answer.
        """
        key = partition_key(self._group, partition)
        found = await self._records.read(key)
        owner = None if found.value is None else read_holder(found.value)
        if owner is not None and owner.member != self.member and await self._is_present(owner.member):
            return None
        holder = self._holder.model_copy(update={"since_ms": _now_ms()})
        try:
            return await self._records.write(key, encode(dump(holder)), revision=found.revision)
        except ConflictError:
            return None

    async def release(self, partition: str, revision: int) -> None:
        """Give a partition back; tried until it succeeds or somebody else has it, or all is lost anyway."""
        while not self.lost.is_set():
            try:
                await self._records.delete(partition_key(self._group, partition), revision=revision)
            except ConflictError:
                return
            except BusError:
                await asyncio.sleep(AGAIN_WAIT_S)
            else:
                return

    async def _is_present(self, member: str) -> bool:
        """Two looks, since each may be behind: the watch after a reconnect, a replica by some milliseconds."""
        key = member_key(self._group, member)
        return self._table.get(key) is not None or (await self._records.read(key)).value is not None

    async def _keep(self) -> None:
        while not self.lost.is_set():
            renewed = await self._renew()
            await asyncio.sleep(self._ttl_s / RENEWALS_PER_LEASE if renewed else AGAIN_WAIT_S)

    async def _renew(self) -> bool:
        """Whether it succeeded; sets ``lost`` when it is too late."""
        async with self._renewing:
            sent_s = asyncio.get_running_loop().time()
            if sent_s > self._good_until_s:
                self._lose("late")
                return False
            try:
                async with asyncio.timeout_at(self._good_until_s):
                    await self._renew_once()
            except TimeoutError:
                self._lose("no answer")
            except BusError as error:
                log.info("lease_not_renewed", group=self._group, error_code=error.code)
            else:
                self._good_until_s = sent_s + self._ttl_s
                return True
            return False

    async def _renew_once(self) -> None:
        try:
            self._revision = await self._write_presence(revision=self._revision)
        except ConflictError:
            # Nobody else writes this key: it has expired, or an earlier renewal was stored and its answer lost.
            found = await self._records.read(self._member_key())
            if found.value is None:
                self._lose("expired")
            self._revision = found.revision
            raise

    def _lose(self, reason: str) -> None:
        if not self.lost.is_set():
            log.warning("membership_lost", group=self._group, reason=reason)
            self.lost.set()
            self._on_change()

    async def _write_presence(self, *, revision: int) -> int:
        data = encode(dump(self._holder))
        return await self._records.write(self._member_key(), data, revision=revision, ttl_s=self._ttl_s)

    def _member_key(self) -> str:
        return member_key(self._group, self.member)

    def _changed(self, key: str, value: bytes | None) -> None:
        """Renewals write the same again, and are no news."""
        if value is None:
            self._known.pop(key, None)
        elif self._known.get(key) == value:
            return
        else:
            self._known[key] = value
        self._on_change()


def read_holder(value: bytes) -> Holder | None:
    """What a key of the bucket says; None where it is nothing of ours, and so nobody's lease."""
    try:
        return validate(Holder, decode(value), what="lease")
    except BackboneError:
        return None


def _below(prefix: str, entries: Iterable[Entry]) -> Iterator[tuple[str, tuple[Holder, int]]]:
    for entry in entries:
        if entry.key.startswith(prefix) and (holder := read_holder(entry.value)) is not None:
            yield entry.key[len(prefix) :], (holder, entry.revision)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
