"""giosg is away: texts wait in order, their visitor hears of it once, and what is given up is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker.domain.subjects import Conversation
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import Desk, running_desk
from tests.standins.giosg_control import Giosg

PATIENCE_S = 3.0


@pytest_asyncio.fixture
async def hasty(server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path) -> AsyncIterator[Desk]:
    """A worker that does not wait for long."""
    worker = {"patience_s": PATIENCE_S}
    async with running_desk(server.url, org, giosg, tmp_path, worker=worker, max_retries=0) as running:
        await running.subscribe()
        yield running


async def test_texts_wait_in_order_and_the_visitor_is_told_once(hasty: Desk, giosg: Giosg) -> None:
    conversation, chat_id = await _open(hasty)
    await giosg.fault(method="POST", path="/messages", status=503, count=None)
    for text in ("one", "two", "three"):
        await hasty.say(conversation, text)
    await poll(lambda: _is_told(hasty, conversation, "message.delayed"))
    await giosg.clear_faults()
    await poll(lambda: _texts(giosg, chat_id, ["one", "two", "three"]), within_s=10)
    assert (await hasty.types(conversation)).count("message.delayed") == 1
    assert await hasty.letters() == []


async def test_a_text_that_giosg_was_away_for_too_long_for_is_kept(hasty: Desk, giosg: Giosg) -> None:
    conversation, chat_id = await _open(hasty)
    await giosg.fault(method="POST", path="/messages", status=503, count=None)
    await hasty.say(conversation, "one")
    await poll(lambda: _is_told(hasty, conversation, "message.failed"), within_s=15)
    await giosg.clear_faults()
    (letter,) = await hasty.letters()
    assert letter["reason"] == "channel_gave_up"
    await hasty.say(conversation, "two")
    await poll(lambda: _texts(giosg, chat_id, ["two"]), within_s=10)


async def test_a_hand_over_to_a_giosg_that_is_away_comes_back(hasty: Desk, giosg: Giosg) -> None:
    await giosg.fault(method="POST", path="/auth", status=503, count=None)
    conversation = await hasty.open()
    await hasty.hand_over(conversation)
    await poll(lambda: _is_told(hasty, conversation, "unavailable"), within_s=15)
    await poll(lambda: _is_back(hasty))


@pytest.mark.parametrize("status", [400, 422])
async def test_a_text_that_giosg_refuses_is_kept_and_the_next_one_goes(hasty: Desk, giosg: Giosg, status: int) -> None:
    conversation, chat_id = await _open(hasty)
    await giosg.fault(method="POST", path="/messages", status=status, body='{"message": ["No such words"]}')
    await hasty.say(conversation, "one")
    await hasty.say(conversation, "two")
    await poll(lambda: _texts(giosg, chat_id, ["two"]))
    assert [letter["reason"] for letter in await hasty.letters()] == ["channel_rejected"]
    assert (await hasty.types(conversation)).count("message.failed") == 1


async def _open(desk: Desk) -> tuple[Conversation, str]:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    return conversation, await desk.chat_id(conversation)


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _is_told(desk: Desk, conversation: Conversation, kind: str) -> bool:
    return kind in await desk.types(conversation)


async def _is_back(desk: Desk) -> bool:
    return [action for action, _ in await desk.runs_of("bot.b1")] == ["_update_from_giosg"]
