"""The timers as people ask for them: how many are armed, which are due next, and how late the last ones were told."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.events import Timeout
from broker.domain.grammar import parse_subject
from broker.domain.ids import OrgId
from broker.domain.lateness import Lateness, lateness_of
from broker.domain.subjects import NOTIFICATIONS, TIMERS, Conversation, Kind, TimerKind, TimerSubject
from broker.domain.wire import validate
from broker.errors import BackboneError, GrammarError
from broker.transport.backwards import count_stored, read_back
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS, TIMER_STREAM

KINDS: tuple[TimerKind, ...] = get_args(TimerKind)
OVERDUE_AFTER_MS = 1_000
"""A firing takes the server up to 0.3 s; a schedule that is still there a second later is waiting for something."""
SCHEDULE = "Nats-Schedule"
_AT = "@at "


@dataclass(frozen=True, slots=True)
class Schedule:
    """One armed timer; ``epoch`` None where its header is missing."""

    kind: TimerKind
    conversation: Conversation
    at_ms: int
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Armed:
    """The armed timers by kind; of those that were ``read``, how many are overdue and which come next."""

    counts: dict[TimerKind, int]
    read: int
    overdue: int
    soonest: tuple[Schedule, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """How late the last timeouts were told, by kind, None where there were none; ``since_ms`` is the oldest's time."""

    lateness: dict[TimerKind, Lateness | None]
    since_ms: int | None


class _Soonest:
    """Counts schedules and keeps the soonest few; its memory is bounded by ``count``, not by the schedules."""

    def __init__(self, *, count: int, read_max: int, now_ms: int) -> None:
        self.read = 0
        self.overdue = 0
        self.full = asyncio.Event()
        self._count = count
        self._read_max = read_max
        self._late_ms = now_ms - OVERDUE_AFTER_MS
        self._heap: list[tuple[int, int, StoredMessage]] = []

    async def accept(self, message: StoredMessage) -> None:
        """Take one message of the stream; what is no schedule of ours does not count."""
        if self.read >= self._read_max:
            self.full.set()
            return
        at_ms = _moment_of(message)
        if at_ms is None:
            return
        self.read += 1
        self.overdue += at_ms < self._late_ms
        entry = (-at_ms, -message.sequence, message)
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def found(self) -> tuple[Schedule, ...]:
        """The soonest, soonest first."""
        ordered = [message for _, _, message in sorted(self._heap, reverse=True)]
        return tuple(found for message in ordered if (found := _schedule(message)) is not None)


async def armed(connection: Connection, org: OrgId | None, *, count: int, read_max: int, now_ms: int) -> Armed:
    """Count the timers and find the ``count`` soonest among at most ``read_max`` of each kind.

    The counts come from the server at once; the soonest must be read for, some 70,000 a second.
    """
    kept = _Soonest(count=count, read_max=read_max * len(KINDS), now_ms=now_ms)
    counts: dict[TimerKind, int] = {}
    for kind in KINDS:
        pattern = _pattern(kind, org)
        counts[kind] = await count_stored(connection, TIMER_STREAM, pattern)
        if counts[kind]:
            await _read_into(kept, connection, pattern)
    return Armed(counts, kept.read, kept.overdue, kept.found())


async def last_told(connection: Connection, org: OrgId | None, *, count: int, since_ms: int | None) -> Told:
    """How late the newest ``count`` timeouts were: from the deadline to the moment that the log has them."""
    late_ms: dict[TimerKind, list[int]] = {kind: [] for kind in KINDS}
    oldest_ms: int | None = None
    async for message in _newest(connection, _timeouts(org), count=count, since_ms=since_ms):
        try:
            body = validate(Timeout, decode(message.data), what="timeout")
        except BackboneError:
            continue  # not the expiry worker's
        late_ms[body.timer].append(message.stored_at_ms - body.deadline_at_ms)
        oldest_ms = message.stored_at_ms
    return Told({kind: lateness_of(values) for kind, values in late_ms.items()}, oldest_ms)


async def _read_into(kept: _Soonest, connection: Connection, pattern: str) -> None:
    async with LogReader(connection, TIMER_STREAM, kept.accept, filters=(pattern,), after=0) as reader:
        endings = {asyncio.create_task(reader.caught_up.wait()), asyncio.create_task(kept.full.wait())}
        await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        for ending in endings:
            ending.cancel()


async def _newest(
    connection: Connection, pattern: str, *, count: int, since_ms: int | None
) -> AsyncIterator[StoredMessage]:
    """The newest messages that match, newest first."""
    left = count
    async for _, page in read_back(connection, CONVERSATIONS, pattern, since_ms=since_ms):
        for message in reversed(page[-left:]):
            yield message
            left -= 1
        if left <= 0:
            return


def _pattern(kind: TimerKind, org: OrgId | None) -> str:
    return f"{TIMERS}.{kind}.>" if org is None else f"{TIMERS}.{kind}.*.org.{org}.>"


def _timeouts(org: OrgId | None) -> str:
    return f"p.*.{NOTIFICATIONS}.*.org.{org or '*'}.name.*.sessionuuid.*.{Kind.TIMEOUT}"


def _moment_of(message: StoredMessage) -> int | None:
    text = message.headers.get(SCHEDULE, "")
    try:
        return int(datetime.fromisoformat(text.removeprefix(_AT)).timestamp() * 1000)
    except ValueError:
        return None


def _schedule(message: StoredMessage) -> Schedule | None:
    try:
        subject = parse_subject(message.public_subject)
    except GrammarError:
        return None
    at_ms = _moment_of(message)
    if not isinstance(subject, TimerSubject) or at_ms is None:
        return None
    epoch = message.headers.get(names.EPOCH, "")
    return Schedule(subject.kind, subject.conversation, at_ms, int(epoch) if epoch.isdecimal() else None)
