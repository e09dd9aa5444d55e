"""A window lets so many in at a time, first come, first served."""

from __future__ import annotations

import asyncio

from broker.transport.window import Window


async def entered(window: Window, order: list[int], number: int) -> None:
    await window.enter()
    order.append(number)


async def pause() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_finds_no_room_waits_for_somebody_to_leave() -> None:
    window, order = Window(1), list[int]()
    tasks = [asyncio.create_task(entered(window, order, number)) for number in range(3)]
    await pause()
    assert order == [0]
    window.leave()
    await pause()
    assert order == [0, 1]
    window.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]


async def test_nobody_overtakes_one_who_was_woken_and_has_not_run_yet() -> None:
    window, order = Window(2), list[int]()
    await window.enter()
    await window.enter()
    first = asyncio.create_task(entered(window, order, 1))
    await pause()
    window.leave()
    window.leave()
    await asyncio.gather(entered(window, order, 2), first)
    assert order == [1, 2]


async def test_one_who_gives_up_leaves_its_room_to_the_next() -> None:
    window, order = Window(1), list[int]()
    await window.enter()
    waiting = [asyncio.create_task(entered(window, order, number)) for number in (1, 2)]
    await pause()
    waiting[0].cancel()
    await pause()
    window.leave()
    await waiting[1]
    assert order == [2]


async def test_one_who_gives_up_in_the_instant_of_its_turn_passes_it_on() -> None:
    window, order = Window(1), list[int]()
    await window.enter()
    waiting = [asyncio.create_task(entered(window, order, number)) for number in (1, 2)]
    await pause()
    window.leave()
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 1)
    assert order == [2]
    window.leave()
    await asyncio.wait_for(window.enter(), 1)


async def test_who_queues_behind_one_who_was_woken_needs_nobody_to_leave_where_there_is_room() -> None:
    window, order = Window(3), list[int]()
    for _ in range(3):
        await window.enter()
    first = asyncio.create_task(entered(window, order, 1))
    await pause()
    for _ in range(3):
        window.leave()
    async with asyncio.timeout(5):
        await entered(window, order, 2)
        await first
    assert order == [1, 2]


async def test_room_for_several_is_given_at_once_and_nobody_overtakes_who_waits_for_it() -> None:
    window, order = Window(3), list[int]()
    await window.enter()
    several = asyncio.create_task(window.enter(3))
    one = asyncio.create_task(entered(window, order, 1))
    await pause()
    assert not several.done()
    assert order == []
    window.leave()
    await asyncio.wait_for(several, 5)
    await pause()
    assert order == []
    window.leave(3)
    await asyncio.wait_for(one, 5)


async def test_one_who_gives_up_waiting_for_much_room_lets_in_who_needs_less() -> None:
    window, order = Window(2), list[int]()
    await window.enter()
    much = asyncio.create_task(window.enter(2))
    one = asyncio.create_task(entered(window, order, 1))
    await pause()
    much.cancel()
    await asyncio.wait_for(one, 5)
    assert order == [1]
