"""Many conversations at once while every process is killed: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.conftest import poll
from tests.e2e.chat_page import CREATED, UPDATED, WELCOME
from tests.e2e.faithful import FaithfulVisitor
from tests.e2e.order import check_log
from tests.e2e.stack import SERVER, WORKERS, Stack

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]

VISITORS = 20
MESSAGES = 12
PAUSE_S = 0.15
DONE_WAIT_S = 30.0


async def test_step_6_a_crowd_loses_nothing_while_every_process_is_killed(own_stack: Stack) -> None:
    visitors = [FaithfulVisitor(own_stack.socket_url) for _ in range(VISITORS)]
    said = [f"message {number}" for number in range(MESSAGES)]
    staying = [asyncio.create_task(visitor.stay()) for visitor in visitors]
    try:
        await poll(lambda: all(visitor.answers == [WELCOME] for visitor in visitors), within_s=10)
        talking = asyncio.gather(*(_talk(visitor, said) for visitor in visitors))
        for name in (*WORKERS, SERVER, "linker", "webchat"):
            await own_stack.kill(name)
        await talking
        expected = [WELCOME, CREATED, *[UPDATED] * (MESSAGES - 1)]
        await poll(lambda: all(len(visitor.answers) >= len(expected) for visitor in visitors), DONE_WAIT_S)
    finally:
        for task in staying:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    assert {tuple(visitor.answers) for visitor in visitors} == {tuple(expected)}
    log = await own_stack.log()
    for visitor in visitors:
        check_log([event for event in log if event["session"] == visitor.session], said)


async def _talk(visitor: FaithfulVisitor, said: list[str]) -> None:
    for text in said:
        await visitor.say(text)
        # The pace of people, so that every kill finds messages on their way.
        await asyncio.sleep(PAUSE_S)
