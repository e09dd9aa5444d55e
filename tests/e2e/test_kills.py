"""Step 6: any process may die between two messages, or while they are on their way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import TIME_FACTOR, poll
from tests.e2e.chat_page import CREATED, UPDATED, ChatPage
from tests.e2e.conftest import NewVisitor, running
from tests.e2e.order import check_conversation
from tests.e2e.stack import SERVER, WORKERS, Record, Stack
from tests.e2e.tap import tapping

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS = 3
STOP_S_MAX = 3.0 * TIME_FACTOR


@pytest.fixture(scope="module")
def hurt_stack(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Stack]:
    """A stack of this module's own, in which everything is killed."""
    with running(Stack(tmp_path_factory.mktemp("hurt"))) as stack:
        yield stack


async def expect_conversation(stack: Stack, visitor: ChatPage, said: list[str]) -> None:
    """Wait until the last word is answered, then check all of it."""
    await visitor.expect_last(CREATED if len(said) == 1 else UPDATED, count=1 + 2 * len(said))
    await visitor.all_sent()
    check_conversation(await stack.log_of(await visitor.session()), await visitor.messages(), said)


@pytest.mark.parametrize("name", [*WORKERS, SERVER])
async def test_step_6_a_killed_process_comes_back_and_the_conversation_goes_on(
    hurt_stack: Stack, new_visitor: NewVisitor, name: str
) -> None:
    visitor = await new_visitor(hurt_stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    await hurt_stack.kill(name)
    await visitor.say("two")
    await visitor.expect_last(UPDATED, count=5)
    await visitor.say("three")
    await expect_conversation(hurt_stack, visitor, ["one", "two", "three"])
    assert f"{name} ended" in hurt_stack.output


async def test_step_6_messages_that_are_on_their_way_while_processes_die_arrive_once_and_in_order(
    hurt_stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(hurt_stack)
    said: list[str] = []
    for name in (*WORKERS, SERVER, "webchat"):
        for _ in range(ROUNDS):
            said.append(f"message {len(said) + 1}")
            await visitor.say(said[-1])
        await hurt_stack.kill(name)
    said.append("the last one")
    await visitor.say(said[-1])
    await expect_conversation(hurt_stack, visitor, said)


async def test_step_6_a_tap_outlives_the_server_and_shows_everything_once(
    hurt_stack: Stack, new_visitor: NewVisitor
) -> None:
    async with tapping(hurt_stack) as tap:
        visitor = await new_visitor(hurt_stack)
        await visitor.say("one")
        await visitor.expect_last(CREATED, count=3)
        await hurt_stack.kill(SERVER)
        await visitor.say("two")
        await visitor.expect_last(UPDATED, count=5)
        stored = sorted(map(_place, await hurt_stack.log_of(session := await visitor.session())))

        def shows_it() -> bool:
            return sorted(_place(event) for event in tap.of(session) if _place(event) in stored) == stored

        await poll(shows_it, within_s=10)


def _place(event: Record) -> tuple[str, int]:
    """Which stored message it is."""
    return event["stream"], event["sequence"]


async def test_step_6_a_link_ends_once_although_the_expiry_worker_was_killed_before_its_time(
    short_stack: Stack, new_visitor: NewVisitor
) -> None:
    async with tapping(short_stack) as tap:
        visitor = await new_visitor(short_stack)
        await visitor.say("one")
        await visitor.expect_last(CREATED, count=3)
        session = await visitor.session()
        await tap.expect(session, "linked")
        await short_stack.kill("expiry")
        await tap.expect(session, "expired")
        await visitor.say("two")
        await visitor.expect_last(CREATED, count=5)
    epochs = [event["body"]["epoch"] for event in tap.of(session, "linked")]
    assert [event["body"]["epoch"] for event in tap.of(session, "timeout")][:1] == epochs[:1]
    assert [event["body"]["epoch"] for event in tap.of(session, "expired")].count(epochs[0]) == 1


async def test_ctrl_c_in_a_conversation_leaves_no_process_and_the_next_start_goes_on_with_it(
    own_stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(own_stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    session = await visitor.session()
    assert own_stack.interrupt() < STOP_S_MAX
    assert own_stack.leftovers() == []
    await visitor.expect_status("Offline")
    await visitor.say("two")
    own_stack.start()
    await expect_conversation(own_stack, visitor, ["one", "two"])
    assert await visitor.session() == session
    assert {stub["context"] for stub in await own_stack.stubs()} == {"create", "default"}


async def test_a_killed_heimdall_dev_leaves_no_process_and_the_next_start_goes_on_with_it(
    own_stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(own_stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    own_stack.kill_all()
    await poll(lambda: own_stack.leftovers() == [])
    own_stack.start()
    await visitor.say("two")
    await expect_conversation(own_stack, visitor, ["one", "two"])
