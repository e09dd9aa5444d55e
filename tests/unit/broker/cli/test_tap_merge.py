from __future__ import annotations

import asyncio

from broker.cli.event_line import Seen
from broker.cli.tap_merge import WAITING_MAX, Merge


def seen(at_ms: int, stream: str = "CONVERSATIONS") -> Seen:
    return Seen(stream, "s", b"", {}, 1, at_ms)


async def taken(merge: Merge) -> list[int]:
    """Everything until the end of what was stored."""
    found = []
    while (one := await merge.next()) is not None:
        found.append(one.at_ms)
    return found


async def test_the_history_of_two_streams_is_one_by_the_clock() -> None:
    merge = Merge()
    one, other = merge.feed(), merge.feed()
    for at_ms in (1, 4, 5):
        await one.put(seen(at_ms))
    for at_ms in (2, 3, 6):
        await other.put(seen(at_ms))
    one.end_history()
    other.end_history()
    assert await taken(merge) == [1, 2, 3, 4, 5, 6]


async def test_a_stream_that_is_still_reading_is_waited_for() -> None:
    merge = Merge()
    quick, slow = merge.feed(), merge.feed()
    await quick.put(seen(5))
    quick.end_history()
    waiting = asyncio.create_task(merge.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    await slow.put(seen(1))
    first = await waiting
    assert first is not None
    assert first.at_ms == 1


async def test_the_end_of_what_is_stored_is_told_once_and_then_it_goes_on() -> None:
    merge = Merge()
    feed = merge.feed()
    feed.end_history()
    assert await merge.next() is None
    await feed.put(seen(9))
    live = await merge.next()
    assert live is not None
    assert live.at_ms == 9


async def test_what_may_be_lost_is_dropped_and_counted_when_nobody_takes_it() -> None:
    feed = Merge().feed()
    for number in range(WAITING_MAX + 3):
        feed.offer(seen(number))
    assert feed.dropped == 3
