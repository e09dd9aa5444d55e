"""Keeps exactly those consumers running in this process that are its share of the group's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from broker.domain.assignment import share_out
from broker.errors import BackboneError, LeaseLostError
from broker.runtime.lanes import IN_HAND_MAX, Lanes, Settle
from broker.runtime.metrics import HELD, IN_HAND
from broker.runtime.parking import Parking
from broker.transport.connection import Connection
from broker.transport.leases import Membership, View
from broker.transport.publisher import open_publisher
from broker.transport.pull import BATCH, Delivery, PullLoop
from broker.transport.window import Window

DRAIN_WAIT_S = 2.0
"""How long a consumer that is given back finishes what it has begun; below every container's stop timeout."""
GIVE_BACK_WAIT_S = DRAIN_WAIT_S + 1.0
LOOK_AGAIN_S = 5.0
"""The group is looked at when it changes; and this often, in case the watch missed something."""
TRY_AGAIN_S = 0.25
JOIN_WAIT_S = 10.0
PULLS_PER_LEASE = 1.5
"""A pull request of a process that was paused still takes messages, also after the reset by the next owner. So a
request ends before the lease does: two thirds of it, and a third passes at most since the renewal before."""

log = structlog.get_logger()

Accept = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handling:
    """What is done with the deliveries of every consumer of a group."""

    stream: str
    settle: Settle
    lane_of: Callable[[Delivery], str]
    wrap: Callable[[Accept], Accept]
    retaken: Callable[[str], None] | None
    parking: Parking | None = None
    together_max: int = 1
    turns: Window | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a silent process keeps its consumers, and how many deliveries of one may be in hand."""

    lease_s: int
    in_hand: int


class Share:
    """One consumer that this process holds: its pull loop, and lanes of its own."""

    def __init__(
        self, connection: Connection, membership: Membership, consumer: str, handling: Handling, limits: Limits
    ) -> None:
        self.revision = 0
        self.lanes = Lanes(
            handling.settle,
            handling.lane_of,
            in_hand_max=limits.in_hand,
            parking=handling.parking,
            together_max=handling.together_max,
            turns=handling.turns,
        )
        self._connection = connection
        self._membership = membership
        self._consumer = consumer
        self._retaken = handling.retaken
        self._loop = PullLoop(
            connection,
            handling.stream,
            consumer,
            handling.wrap(self.lanes.accept),
            on_retake=self._begin,
            expires_s=limits.lease_s / PULLS_PER_LEASE,
        )

    async def start(self) -> None:
        """Reset the consumer, and pull; the lease comes before this."""
        await self._loop.start()

    def _begin(self, _generation: int) -> None:
        """Before each reset: one by a process that was paused or cut off would disturb the next owner."""
        if not self._membership.good:
            raise LeaseLostError(self._consumer)
        if self._retaken is not None:
            self._retaken(self._consumer)

    async def finish(self) -> None:
        """Pull no more, finish what has begun, and have the server read the acknowledgements."""
        await self._loop.stop()
        await self.lanes.drain(DRAIN_WAIT_S)
        await self._connection.flush()

    async def drop(self) -> None:
        """Stop at once: another process may have it already."""
        await self._loop.stop()
        await self.lanes.drain(0)


class Shares:
    """This process's part of a group's consumers, moving with the group's members.

    Args:
        connection: the bus.
        group: whose consumers they are; all its members must name the same.
        consumers: what there is to share out.
        handling: what to do with the deliveries of those that are held.
        lease_s: how long a silent member keeps what it holds, in whole seconds.
    """

    def __init__(
        self, connection: Connection, group: str, consumers: Iterable[str], handling: Handling, *, lease_s: int
    ) -> None:
        self._connection = connection
        self._group = group
        self._consumers = tuple(consumers)
        self._handling = handling
        self._limits = Limits(lease_s, max(BATCH, IN_HAND_MAX // max(1, len(self._consumers))))
        self._held: dict[str, Share] = {}
        self._moves: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._failure: BackboneError | None = None
        self._joined = False

    async def keep(self, stop: asyncio.Event, started: asyncio.Event | None) -> None:
        """Work until ``stop`` is set; raises what makes a consumer unusable for good."""
        lease_s = self._limits.lease_s
        gauge = IN_HAND.labels(self._handling.stream)
        gauge.set_function(lambda: sum(share.lanes.in_hand for share in self._held.values()))
        HELD.labels(self._group).set_function(lambda: len(self._held))
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._changed.set())
        try:
            async with open_publisher(self._connection, timeout_s=lease_s) as publisher:
                while not stop.is_set():
                    membership = Membership(
                        self._connection, publisher, self._group, ttl_s=lease_s, on_change=self._changed.set
                    )
                    if await self._join(membership, stopping):
                        await self._take_part(membership, stop, started)
        finally:
            stopping.cancel()

    async def _join(self, membership: Membership, stopping: asyncio.Task[bool]) -> bool:
        """Whether it succeeded; who was a member before tries for ever, as the server may be away."""
        joining = asyncio.create_task(membership.join())
        await asyncio.wait({joining, stopping}, timeout=JOIN_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        joining.cancel()  # no effect on one that is done
        await asyncio.wait({joining})
        try:
            joining.result()
        except asyncio.CancelledError:
            return False
        except BackboneError as error:
            if not (self._joined and error.retryable):
                raise
            log.warning("group_not_joined", group=self._group, error_code=error.code, error=str(error))
            await asyncio.sleep(TRY_AGAIN_S)
            return False
        return True

    async def _take_part(self, membership: Membership, stop: asyncio.Event, started: asyncio.Event | None) -> None:
        """From joining the group to leaving it, or to losing the membership."""
        self._joined = True
        try:
            await self._follow(membership, stop, started)
            if not membership.lost.is_set():
                await self._give_all_back(membership)
        finally:
            await self._drop_all()
            await membership.leave()

    async def _follow(self, membership: Membership, stop: asyncio.Event, started: asyncio.Event | None) -> None:
        asked = False
        while not (stop.is_set() or membership.lost.is_set()):
            self._changed.clear()
            try:
                self._adjust(membership, await membership.view(asked=asked))
            except BackboneError as error:
                log.warning("group_not_seen", group=self._group, error_code=error.code, error=str(error))
            if not self._moves and started is not None and not started.is_set():
                log.info("consuming_started", group=self._group, consumers=len(self._held))
                started.set()
            asked = not await self._wait_for_change()
            if self._failure is not None:
                raise self._failure

    async def _wait_for_change(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):  # wait_for() of Python 3.11 may lose a cancellation
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _adjust(self, membership: Membership, view: View) -> None:
        """Begin what has to move; each move looks again when it is done."""
        me = membership.member
        held = {**view.owners, **dict.fromkeys(self._held, me)}
        owners = share_out(view.members | {me}, self._consumers, held)
        for consumer in self._consumers:
            if consumer in self._moves:
                continue
            share = self._held.get(consumer)
            if share is not None and view.revisions.get(consumer, 0) > share.revision:
                self._move(consumer, partial(self._lose, consumer))
            elif share is not None and owners[consumer] != me:
                self._move(consumer, partial(self._give_back, membership, consumer))
            elif share is None and owners[consumer] == me and view.owners.get(consumer, me) == me:
                self._move(consumer, partial(self._take, membership, consumer))

    def _move(self, consumer: str, move: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await move()
            except BackboneError as error:
                log.warning("partition_not_moved", consumer=consumer, error_code=error.code, error=str(error))
                await asyncio.sleep(TRY_AGAIN_S)
            finally:
                self._moves.pop(consumer, None)
                self._changed.set()

        self._moves[consumer] = asyncio.create_task(run())

    async def _take(self, membership: Membership, consumer: str) -> None:
        """Lease first, then reset, a new inbox, and pull."""
        revision = await membership.take(consumer)
        if revision is None:
            await asyncio.sleep(TRY_AGAIN_S)
            return
        share = Share(self._connection, membership, consumer, self._handling, self._limits)
        share.revision = revision
        self._held[consumer] = share
        try:
            await share.start()
        except BackboneError as error:
            if not error.retryable:
                self._failure = error
            await share.drop()
            del self._held[consumer]
            await membership.release(consumer, revision)
            raise
        log.info("partition_taken", consumer=consumer)

    async def _give_back(self, membership: Membership, consumer: str) -> None:
        """The lease last: the next owner begins behind finished work."""
        share = self._held[consumer]
        await share.finish()
        del self._held[consumer]
        await membership.release(consumer, share.revision)
        log.info("partition_given_back", consumer=consumer)

    async def _lose(self, consumer: str) -> None:
        log.warning("partition_lost", consumer=consumer)
        await self._held[consumer].drop()
        del self._held[consumer]

    async def _give_all_back(self, membership: Membership) -> None:
        with contextlib.suppress(BackboneError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_WAIT_S):
                await membership.announce_leaving()
                still = [consumer for consumer in self._held if consumer not in self._moves]
                # What is being taken is taken to its end, so that it can be given back.
                await asyncio.gather(*self._moves.values(), *(self._give_back(membership, each) for each in still))
                await asyncio.gather(*(self._give_back(membership, each) for each in list(self._held)))

    async def _drop_all(self) -> None:
        moves = set(self._moves.values())
        for move in moves:
            move.cancel()
        if moves:
            await asyncio.wait(moves)
        shares = list(self._held.values())
        self._held.clear()
        await asyncio.gather(*(share.drop() for share in shares))
