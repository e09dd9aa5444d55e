"""What comes in any order leaves in giosg's, and nothing waits longer than the window."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from broker.errors import BackboneError, ChannelError
from workers.giosg.hearing.fetching import Fetching
from workers.giosg.hearing.sequencer import Place, Sequencer

WAIT_S = 0.05


class Log:
    def __init__(self) -> None:
        self.done: list[str] = []

    def act(self, name: str, *, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            self.done.append(name)
            if error is not None:
                raise error

        return run


async def test_what_comes_together_leaves_in_order_messages_first() -> None:
    log, sequencer = Log(), Sequencer(wait_s=WAIT_S)
    places = [Place(2, 1, "c"), Place(0, 9, "b"), Place(1, 0, "x"), Place(0, 9, "a"), Place(0, 3, "z")]
    await asyncio.gather(*(sequencer.deliver("c1", place, log.act(place.id)) for place in places))
    assert log.done == ["z", "a", "b", "x", "c"]


async def test_each_waits_for_those_before_it_whenever_it_came() -> None:
    log, sequencer = Log(), Sequencer(wait_s=10 * WAIT_S)
    first = asyncio.create_task(sequencer.deliver("c1", Place(0, 1, "old"), log.act("old")))
    await asyncio.sleep(8 * WAIT_S)
    later = asyncio.create_task(sequencer.deliver("c1", Place(0, 9, "young"), log.act("young")))
    change = asyncio.create_task(sequencer.deliver("c1", Place(2, 5, "joined"), log.act("joined")))
    await first
    assert log.done == ["old"]
    await asyncio.gather(later, change, sequencer.deliver("c1", Place(0, 8, "between"), log.act("between")))
    assert log.done.index("between") < log.done.index("young")


async def test_a_change_of_the_chat_takes_along_what_was_said_until_then_alone() -> None:
    log, sequencer = Log(), Sequencer(wait_s=10 * WAIT_S)
    change = asyncio.create_task(sequencer.deliver("c1", Place(2, 5, "change"), log.act("change")))
    await asyncio.sleep(8 * WAIT_S)
    said = asyncio.create_task(sequencer.deliver("c1", Place(0, 4, "before"), log.act("before")))
    after = asyncio.create_task(sequencer.deliver("c1", Place(0, 6, "after"), log.act("after")))
    await asyncio.gather(change, said)
    assert log.done == ["before", "change"]
    await after


async def test_what_is_logged_is_of_the_worker_and_not_of_the_call_that_came_first() -> None:
    sequencer, bound = Sequencer(wait_s=0), list[dict[str, object]]()

    async def look() -> None:
        bound.append(get_contextvars())

    with bound_contextvars(worker="giosg", sequence=7):
        await sequencer.deliver("c1", Place(0, 1, "a"), look)
    assert bound == [{"worker": "giosg"}]


async def test_chats_do_not_wait_for_each_other() -> None:
    log, sequencer, gate = Log(), Sequencer(wait_s=0), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    slow = asyncio.create_task(sequencer.deliver("slow", Place(0, 1, "a"), wait))
    await sequencer.deliver("quick", Place(0, 1, "b"), log.act("b"))
    assert log.done == ["b"]
    gate.set()
    await slow


async def test_nothing_is_held_longer_than_the_window_of_the_first() -> None:
    log, sequencer = Log(), Sequencer(wait_s=WAIT_S)
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    tasks = []
    for number in range(10):
        tasks.append(asyncio.create_task(sequencer.deliver("c1", Place(0, 100 - number, "m"), log.act(str(number)))))
        await asyncio.sleep(WAIT_S / 5)
    await asyncio.gather(*tasks)
    assert "0" in log.done[: len(log.done) - 1], "the first did not wait for the last"
    assert loop.time() - begun_s < 60 * WAIT_S


async def test_a_crowd_does_not_wait() -> None:
    log, sequencer = Log(), Sequencer(wait_s=3_600, waiting_max=3)
    async with asyncio.timeout(30):
        await asyncio.gather(*(sequencer.deliver("c1", Place(0, n, "m"), log.act(str(n))) for n in (2, 1, 0)))
    assert log.done == ["0", "1", "2"]


async def test_what_has_to_be_repeated_takes_those_behind_it_along() -> None:
    log, sequencer = Log(), Sequencer(wait_s=WAIT_S)
    away = ChannelError("giosg", problem="away")
    outcomes = await asyncio.gather(
        sequencer.deliver("c1", Place(0, 1, "a"), log.act("a")),
        sequencer.deliver("c1", Place(0, 2, "b"), log.act("b", error=away)),
        sequencer.deliver("c1", Place(0, 3, "c"), log.act("c")),
        return_exceptions=True,
    )
    assert log.done == ["a", "b"]
    assert list(outcomes) == [None, away, away]


@pytest.mark.parametrize("error", [BackboneError("poison"), ValueError("a fault")], ids=["poison", "fault"])
async def test_what_fails_for_good_holds_nobody_up(error: Exception) -> None:
    log, sequencer = Log(), Sequencer(wait_s=WAIT_S)
    outcomes = await asyncio.gather(
        sequencer.deliver("c1", Place(0, 1, "a"), log.act("a", error=error)),
        sequencer.deliver("c1", Place(0, 2, "b"), log.act("b")),
        return_exceptions=True,
    )
    assert (log.done, list(outcomes)) == (["a", "b"], [error, None])


async def test_who_does_not_wait_any_more_is_passed_over() -> None:
    log, sequencer = Log(), Sequencer(wait_s=WAIT_S)
    gone = asyncio.create_task(sequencer.deliver("c1", Place(0, 1, "a"), log.act("a")))
    stays = asyncio.create_task(sequencer.deliver("c1", Place(0, 2, "b"), log.act("b")))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert log.done == ["b"]


async def test_a_fetch_under_way_is_followed_by_one_more_for_all_who_asked_meanwhile() -> None:
    fetching: Fetching[int] = Fetching()
    gates, begun = [asyncio.Event(), asyncio.Event()], 0

    async def call() -> int:
        nonlocal begun
        begun += 1
        number = begun
        await gates[number - 1].wait()
        return number

    first = asyncio.create_task(fetching.fetch("c1", call))
    await asyncio.sleep(0)
    later = [asyncio.create_task(fetching.fetch("c1", call)) for _ in range(5)]
    await asyncio.sleep(0)
    gates[0].set()
    assert await first == 1
    gates[1].set()
    assert await asyncio.gather(*later) == [2] * 5
    assert begun == 2


async def test_a_failed_fetch_fails_its_own_and_not_the_next() -> None:
    fetching: Fetching[str] = Fetching()
    outcomes: list[Exception | str] = [ChannelError("giosg", problem="away"), "found"]

    async def call() -> str:
        await asyncio.sleep(0)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    found = await asyncio.gather(fetching.fetch("c", call), fetching.fetch("c", call), return_exceptions=True)
    assert isinstance(found[0], ChannelError)
    assert found[1] == "found"
