"""Order within a lane, concurrency across lanes: one task per lane that has something to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice, takewhile

import structlog

from broker.errors import BusError
from broker.runtime.parking import Parking
from broker.transport.pull import Delivery
from broker.transport.topology import ACK_WAIT_S
from broker.transport.window import Window

IN_HAND_MAX = 8_192
IN_HAND_BYTES_MAX = 8 << 20
"""Of one consumer: bodies of up to a megabyte must not add up to gigabytes."""
REMIND_S = ACK_WAIT_S / 3
"""Whoever was in hand at the last reminder is extended, so nothing waits longer than two of them."""
REMIND_BATCH = 500
"""Thousands may be parked: others have their turn in between."""

Settle = Callable[[Sequence[Delivery]], Awaitable[None]]

log = structlog.get_logger()


class Lanes:
    """Takes the deliveries of one stream; each lane settles its own strictly in order.

    A delivery that its consumer will hand out again (``stale``) and that has not been started is dropped: its copy
    takes the place. A copy of one that has been started is not started again; the first one answers for it.

    Args:
        settle: runs deliveries of one lane to their end, in their order, acknowledgement included; must not raise.
        lane_of: names the lane of a delivery.
        in_hand_max: above it, accept() waits, and with it the pull loop.
        parking: where those wait that stand far back in their lane; they do not count as in hand.
        together_max: how many of a lane are settled in one call, where so many wait.
        turns: how many lanes settle at once, perhaps together with those of other consumers; None for no limit.
    """

    def __init__(
        self,
        settle: Settle,
        lane_of: Callable[[Delivery], str],
        *,
        in_hand_max: int = IN_HAND_MAX,
        parking: Parking | None = None,
        together_max: int = 1,
        turns: Window | None = None,
    ) -> None:
        self._settle = settle
        self._lane_of = lane_of
        self._in_hand_max = in_hand_max
        self._parking = parking
        self._together_max = together_max
        self._turns = turns
        self._lanes: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._latest: dict[int, Delivery] = {}
        self._started: set[int] = set()
        self._queued = 0
        self._queued_bytes = 0
        self._room = asyncio.Event()
        self._stopping = False
        self._reminder: asyncio.Task[None] | None = None

    @property
    def in_hand(self) -> int:
        """How many deliveries are queued or running; the parked ones are not among them."""
        return self._queued

    @property
    def _is_full(self) -> bool:
        return self._queued >= self._in_hand_max or self._queued_bytes >= IN_HAND_BYTES_MAX

    def _count(self, delivery: Delivery) -> None:
        self._queued += 1
        self._queued_bytes += len(delivery.data)

    async def accept(self, delivery: Delivery) -> None:
        """Queue one delivery; waits while too many are in hand. Pass it to PullLoop."""
        name = self._lane_of(delivery)
        while not (is_parked := self._parks(name)) and self._is_full:
            self._room.clear()
            await self._room.wait()
        if self._stopping:
            return
        sequence = delivery.sequence
        known = self._latest.get(sequence)
        if known is not None and (sequence in self._started or not known.stale):
            known.adopt(delivery)
            return
        self._latest[sequence] = delivery
        if is_parked:
            delivery.park()
        else:
            self._count(delivery)
        lane = self._lanes.get(name)
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[name] = lane = deque((delivery,))
        task = asyncio.create_task(self._work(name, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._reminder is None:
            self._reminder = asyncio.create_task(self._remind())

    async def drain(self, wait_s: float) -> None:
        """Drop what has not been started, finish what has; what is not done after ``wait_s`` is cut off."""
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=wait_s)
            for task in late:
                task.cancel()
            if late:
                log.warning("deliveries_cut_off", count=len(late), wait_s=wait_s)
                await asyncio.wait(late)
        if self._reminder is not None:
            self._reminder.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reminder

    async def _work(self, name: str, lane: deque[Delivery]) -> None:
        try:
            while lane:
                if self._turns is None:
                    await self._work_on(lane)
                    continue
                if not self._turns.enter_now():
                    await self._turns.enter()
                try:
                    await self._work_on(lane)
                finally:
                    self._turns.leave()
        finally:
            while lane:
                self._leave(lane.popleft())
            del self._lanes[name]

    async def _work_on(self, lane: deque[Delivery]) -> None:
        """Bring what stands in front to its end."""
        delivery = lane[0]
        if delivery.stale or self._stopping:
            self._leave(lane.popleft())
            return
        together = self._head_of(lane)
        self._started.update(found.sequence for found in together)
        if not delivery.is_parked or await self._bring_back(delivery):
            await self._settle(together)
        for _ in together:
            self._leave(lane.popleft())

    def _parks(self, name: str) -> bool:
        """Whether the next of a lane is to be parked."""
        lane = self._lanes.get(name)
        if self._parking is None or lane is None:
            return False
        return self._parking.is_due(len(lane), crowded=self._queued * 2 >= self._in_hand_max)

    async def _bring_back(self, delivery: Delivery) -> bool:
        """Whether a parked one is whole again, and counts; what the stream has lost is given up."""
        assert self._parking is not None  # noqa: S101 - nothing else parks
        found = await self._parking.bring_back(delivery)
        if found == "whole":
            self._count(delivery)
        elif found == "gone":
            with contextlib.suppress(BusError):
                await delivery.ack()
        return found == "whole"

    def _head_of(self, lane: deque[Delivery]) -> Sequence[Delivery]:
        """What stands in front and is still ours to start, one at least."""
        if self._together_max == 1 or len(lane) == 1 or self._parking is not None:
            return (lane[0],)  # what is parked is brought back one by one
        generation = lane[0].generation
        return list(takewhile(lambda found: found.generation == generation, islice(lane, self._together_max)))

    def _leave(self, delivery: Delivery) -> None:
        if not delivery.is_parked:
            self._queued -= 1
            self._queued_bytes -= len(delivery.data)
        if self._latest.get(delivery.sequence) is delivery:
            del self._latest[delivery.sequence]
            self._started.discard(delivery.sequence)
        self._room.set()

    async def _remind(self) -> None:
        """Ask the server for more time, so that it hands nothing out twice that is still in hand here."""
        before: set[int] = set()
        while True:
            await asyncio.sleep(REMIND_S)
            for number, sequence in enumerate(before & self._latest.keys()):
                if number % REMIND_BATCH == 0:
                    await asyncio.sleep(0)
                delivery = self._latest.get(sequence)
                if delivery is not None and not delivery.stale:
                    with contextlib.suppress(BusError):
                        await delivery.in_progress()
            before = set(self._latest)
