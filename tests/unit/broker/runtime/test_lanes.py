"""Lanes by themselves: order, concurrency, copies, stale deliveries, bounds, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from broker.errors import BusError
from broker.runtime.lanes import Lanes
from broker.runtime.parking import PARKED_BEHIND, Parking
from broker.transport.client import NO_HEADERS, Message
from broker.transport.connection import Connection
from broker.transport.pull import Delivery, PullLoop
from broker.transport.reader import StoredMessage
from broker.transport.requests import Position
from tests.conftest import Eventually


class Bench:
    """Lanes whose handler waits at a gate per lane; deliveries are built by hand, no server is asked."""

    def __init__(self, in_hand_max: int = 100, parking: Parking | None = None, together_max: int = 1) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.lanes = Lanes(
            self.settle,
            lambda delivery: delivery.subject,
            in_hand_max=in_hand_max,
            parking=parking,
            together_max=together_max,
        )
        self.loop = PullLoop(Connection("nats://127.0.0.1:1"), "S", "c", self.lanes.accept)

    def delivery(self, lane: str, sequence: int, reply: str = "first") -> Delivery:
        message = Message(lane, reply, f"{lane}{sequence}".encode(), NO_HEADERS)
        return Delivery(self.loop, message, Position(1, sequence, sequence, 0, 0))

    def hold(self, lane: str) -> asyncio.Event:
        return self.gates.setdefault(lane, asyncio.Event())

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        self.began.append("+".join(delivery.data.decode() for delivery in deliveries))
        if (gate := self.gates.get(deliveries[0].subject)) is not None:
            await gate.wait()
        self.ended.extend(f"{delivery.data.decode()} {delivery._reply}" for delivery in deliveries)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_one_lane_runs_in_order_and_one_at_a_time(bench: Bench, eventually: Eventually) -> None:
    gate = bench.hold("a")
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1"])
    gate.set()
    await eventually(lambda: bench.ended == ["a1 first", "a2 first", "a3 first"])


async def test_what_waits_in_a_lane_is_settled_together_up_to_the_bound(eventually: Eventually) -> None:
    bench = Bench(together_max=3)
    gate = bench.hold("a")
    for sequence in range(1, 7):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1+a2+a3"])
    gate.set()
    await eventually(lambda: bench.ended == [f"a{sequence} first" for sequence in range(1, 7)])
    assert bench.began == ["a1+a2+a3", "a4+a5+a6"]


async def test_what_came_before_a_retake_is_not_settled_with_what_came_after(eventually: Eventually) -> None:
    bench = Bench(together_max=10)
    gate = bench.hold("a")
    await bench.lanes.accept(bench.delivery("a", 1))
    await eventually(lambda: bench.began == ["a1"])
    await bench.lanes.accept(bench.delivery("a", 2))
    bench.loop.generation += 1
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence, reply="again"))
    gate.set()
    await eventually(lambda: bench.ended == ["a1 again", "a2 again", "a3 again"])
    assert bench.lanes.in_hand == 0


async def test_another_lane_does_not_wait_for_a_slow_one(bench: Bench, eventually: Eventually) -> None:
    bench.hold("a")
    await bench.lanes.accept(bench.delivery("a", 1))
    await bench.lanes.accept(bench.delivery("b", 2))
    await eventually(lambda: bench.ended == ["b2 first"])


async def test_a_copy_of_a_running_delivery_is_not_run_again_but_answered_for(
    bench: Bench, eventually: Eventually
) -> None:
    gate = bench.hold("a")
    await bench.lanes.accept(bench.delivery("a", 1))
    await eventually(lambda: bench.began == ["a1"])
    bench.loop.generation += 1
    await bench.lanes.accept(bench.delivery("a", 1, "second"))
    gate.set()
    await eventually(lambda: bench.ended == ["a1 second"])
    assert bench.lanes.in_hand == 0


async def test_what_was_queued_before_a_retake_is_dropped_for_its_copies(bench: Bench, eventually: Eventually) -> None:
    gate = bench.hold("a")
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1"])
    bench.loop.generation += 1
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence, "second"))
    gate.set()
    await eventually(lambda: bench.ended == ["a1 second", "a2 second", "a3 second"])


async def test_a_stale_delivery_whose_copy_goes_elsewhere_is_not_run(bench: Bench, eventually: Eventually) -> None:
    gate = bench.hold("a")
    for sequence in (1, 2):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1"])
    bench.loop.generation += 1
    gate.set()
    await eventually(lambda: bench.lanes.in_hand == 0)
    assert bench.ended == ["a1 first"]


async def test_a_copy_in_the_same_generation_is_dropped_where_the_first_still_waits(
    bench: Bench, eventually: Eventually
) -> None:
    gate = bench.hold("a")
    for sequence, reply in ((1, "first"), (2, "first"), (2, "second")):
        await bench.lanes.accept(bench.delivery("a", sequence, reply))
    gate.set()
    await eventually(lambda: bench.ended == ["a1 first", "a2 second"])


async def test_the_same_sequence_runs_again_once_the_first_run_is_over(bench: Bench, eventually: Eventually) -> None:
    await bench.lanes.accept(bench.delivery("a", 1))
    await eventually(lambda: bench.lanes.in_hand == 0)
    await bench.lanes.accept(bench.delivery("a", 1, "second"))
    await eventually(lambda: bench.ended == ["a1 first", "a1 second"])


async def test_accept_waits_while_too_many_are_in_hand(eventually: Eventually) -> None:
    bench = Bench(in_hand_max=2)
    gate = bench.hold("a")
    for sequence in (1, 2):
        await bench.lanes.accept(bench.delivery("a", sequence))
    third = asyncio.create_task(bench.lanes.accept(bench.delivery("b", 3)))
    done, _ = await asyncio.wait({third}, timeout=0.05)
    assert not done
    gate.set()
    await eventually(lambda: sorted(bench.ended) == ["a1 first", "a2 first", "b3 first"])
    assert third.done()


async def test_draining_finishes_what_runs_and_drops_what_waits(bench: Bench, eventually: Eventually) -> None:
    gate = bench.hold("a")
    for sequence in (1, 2):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1"])
    draining = asyncio.create_task(bench.lanes.drain(5))
    await asyncio.sleep(0)
    gate.set()
    await draining
    await bench.lanes.accept(bench.delivery("a", 3))
    assert bench.ended == ["a1 first"]


async def test_draining_cuts_off_what_takes_too_long(bench: Bench, eventually: Eventually) -> None:
    bench.hold("a")
    await bench.lanes.accept(bench.delivery("a", 1))
    await eventually(lambda: bench.began == ["a1"])
    await asyncio.wait_for(bench.lanes.drain(0.01), 2)
    assert bench.ended == []
    assert bench.lanes.in_hand == 0


class Stream:
    """What parked deliveries are read from; may be away, and may have lost some."""

    def __init__(self, lane: str = "a") -> None:
        self.lane = lane
        self.read: list[int] = []
        self.lost: set[int] = set()
        self.failures = 0

    async def fetch(self, sequence: int) -> StoredMessage | None:
        self.read.append(sequence)
        if self.failures:
            self.failures -= 1
            raise BusError("away")
        if sequence in self.lost:
            return None
        return StoredMessage(self.lane, f"{self.lane}{sequence}".encode(), {}, sequence, 0)


async def test_what_waits_far_back_is_parked_and_read_again_in_its_turn(eventually: Eventually) -> None:
    stream = Stream()
    bench = Bench(in_hand_max=1_000, parking=Parking(stream.fetch))
    gate = bench.hold("a")
    deliveries = [bench.delivery("a", sequence) for sequence in range(1, 201)]
    for delivery in deliveries:
        await bench.lanes.accept(delivery)
    assert bench.lanes.in_hand == PARKED_BEHIND
    assert sum(1 for delivery in deliveries if delivery.data) == PARKED_BEHIND
    gate.set()
    await eventually(lambda: len(bench.ended) == 200)
    assert bench.began == [f"a{sequence}" for sequence in range(1, 201)]
    assert stream.read == list(range(PARKED_BEHIND + 1, 201))
    assert bench.lanes.in_hand == 0


async def test_a_slow_lane_does_not_fill_what_may_be_in_hand(eventually: Eventually) -> None:
    bench = Bench(in_hand_max=10, parking=Parking(Stream().fetch))
    bench.hold("a")
    for sequence in range(1, 500):
        await asyncio.wait_for(bench.lanes.accept(bench.delivery("a", sequence)), 1)
    for sequence in range(500, 510):
        await asyncio.wait_for(bench.lanes.accept(bench.delivery("b", sequence)), 1)
    await eventually(lambda: [ended for ended in bench.ended if ended.startswith("b")][-1:] == ["b509 first"])
    await bench.lanes.drain(0)


async def test_a_parked_one_waits_for_the_bus_and_one_that_is_lost_is_passed_over(eventually: Eventually) -> None:
    stream = Stream()
    bench = Bench(in_hand_max=2, parking=Parking(stream.fetch))
    gate = bench.hold("a")
    for sequence in (1, 2, 3, 4):
        await bench.lanes.accept(bench.delivery("a", sequence))
    stream.failures, stream.lost = 2, {3}
    gate.set()
    await eventually(lambda: bench.ended == ["a1 first", "a2 first", "a4 first"])
    assert bench.lanes.in_hand == 0


async def test_a_parked_one_that_comes_anew_is_left_to_its_copy(eventually: Eventually) -> None:
    stream = Stream()
    bench = Bench(in_hand_max=2, parking=Parking(stream.fetch))
    gate = bench.hold("a")
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence))
    await eventually(lambda: bench.began == ["a1"])
    bench.loop.generation += 1
    for sequence in (1, 2, 3):
        await bench.lanes.accept(bench.delivery("a", sequence, "second"))
    gate.set()
    await eventually(lambda: bench.ended == ["a1 second", "a2 second", "a3 second"])
    assert bench.lanes.in_hand == 0
