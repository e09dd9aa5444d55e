"""The chat is over, or the visitor is somebody else at giosg: the text goes into another chat, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker.domain.subjects import Conversation
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, Desk, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.standins.giosg_control import ROOM_ID, Giosg


@pytest_asyncio.fixture
async def blind(server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path) -> AsyncIterator[Desk]:
    """A worker that learns nothing by itself: no webhooks, no reconciliation."""
    async with running_desk(server.url, org, giosg, tmp_path, reconcile_seconds=0) as running:
        yield running


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_check_24_a_text_after_the_end_opens_another_chat_of_the_same_visitor(
    desk: Desk, giosg: Giosg, status: int
) -> None:
    await giosg.configure(ended_status=status)
    await desk.route_here()
    conversation = await desk.open()
    await desk.say(conversation, "hello")
    first = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, first, ["hello"]))
    await giosg.end(first)
    await poll(lambda: _is_told(desk, conversation, "session.ended"))
    await desk.say(conversation, "one more thing")
    await poll(lambda: _is_in_second(giosg, "one more thing"))
    old, new = await giosg.chats()
    assert old.texts("visitor") == ["hello"]
    assert new.visitor_id == old.visitor_id
    assert (await desk.types(conversation)).count("conversation.new") == 1


@pytest.mark.parametrize("status", [403, 404, 409, 400])
async def test_check_25_a_chat_that_ended_a_moment_ago_is_left_for_another(
    blind: Desk, giosg: Giosg, status: int
) -> None:
    desk = blind
    await giosg.configure(ended_status=status)
    conversation = await desk.open()
    await desk.hand_over(conversation)
    first = await desk.chat_id(conversation)
    await desk.say(conversation, "hello")
    await poll(lambda: _texts(giosg, first, ["hello"]))
    await giosg.end(first)
    await desk.say(conversation, "one more thing")
    await poll(lambda: _is_in_second(giosg, "one more thing"))
    old, new = await giosg.chats()
    assert old.texts("visitor") == ["hello"]
    assert new.visitor_id == old.visitor_id
    assert (await desk.types(conversation)).count("conversation.new") == 1
    assert "session.ended" not in await desk.types(conversation)


async def test_an_end_that_another_process_still_tells_of_does_not_close_the_next_chat(
    blind: Desk, giosg: Giosg, tmp_path: Path
) -> None:
    desk = blind
    await desk.route_here()
    conversation = await desk.open()
    await desk.say(conversation, "hello")
    first = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, first, ["hello"]))
    await giosg.end(first)
    await giosg.fault(method="GET", path=f"/owned_chats/{first}", delay_ms=700)
    await giosg.fault(method="GET", path=f"/rooms/{ROOM_ID}", delay_ms=2_000)  # in which language is it told?
    await desk.say(conversation, "one more thing")
    await poll(lambda: _is_asked_for(giosg, first))
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        case = await desk.case(conversation)
        assert case is not None
        await elsewhere.parts.endings.end(case, "ended_by_giosg")
    await poll(lambda: _is_in_second(giosg, "one more thing"))
    await desk.say(conversation, "and another")
    second = (await giosg.chats())[1].id
    await poll(lambda: _texts(giosg, second, ["one more thing", "and another"]))


async def test_a_text_for_a_chat_that_was_removed_goes_into_another(blind: Desk, giosg: Giosg) -> None:
    desk = blind
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await giosg.remove(await desk.chat_id(conversation))
    await desk.say(conversation, "hello")
    await poll(lambda: _is_in_last(giosg, "hello"))


async def test_where_another_chat_is_not_wished_the_text_is_refused_and_kept(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, after_end_policy="reject") as desk:
        conversation = await desk.open()
        await desk.route_here()
        await desk.say(conversation, "hello")
        first = await desk.chat_id(conversation)
        await poll(lambda: _texts(giosg, first, ["hello"]))
        await giosg.end(first)
        await desk.say(conversation, "one more thing")
        await poll(lambda: _is_told(desk, conversation, "message.failed"))
        assert [letter["reason"] for letter in await desk.letters()] == ["desk_unavailable"]
        assert len(await giosg.chats()) == 1


@pytest.mark.parametrize("unknown", ["refuse", "new"])
async def test_check_27_a_visitor_that_giosg_lost_has_a_new_chat_as_somebody_else(
    desk: Desk, giosg: Giosg, unknown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await giosg.configure(unknown_visitor=unknown)
    conversation = await desk.open()
    await desk.hand_over(conversation)
    first = await desk.chat_id(conversation)
    await desk.say(conversation, "hello")
    await poll(lambda: _texts(giosg, first, ["hello"]))
    (before,) = await giosg.chats()
    await giosg.forget_secret(before.visitor_id)
    await giosg.expire_visitor_tokens()
    await desk.say(conversation, "still there?")
    await poll(lambda: _is_in_second(giosg, "still there?"))
    old, new = await giosg.chats()
    assert old.texts("visitor") == ["hello"]
    assert new.visitor_id != old.visitor_id
    case = await desk.case(conversation)
    assert case is not None
    assert [(past.id, past.reason) for past in case.past] == [(first, "identity_lost")]
    assert "giosg_identity_lost" in capsys.readouterr().out


async def test_a_conversation_that_comes_back_to_the_bot_and_here_again_has_another_chat(
    desk: Desk, giosg: Giosg
) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    first = await desk.chat_id(conversation)
    await desk.say(conversation, "hello")
    await poll(lambda: _texts(giosg, first, ["hello"]))
    await desk.link(conversation, BOT)
    await poll(lambda: _ended(giosg, first))
    await desk.say(conversation, "a human, please")
    await desk.link(conversation, "giosg.support")
    await poll(lambda: _is_in_second(giosg, "a human, please"))
    assert "conversation.new" not in await desk.types(conversation)


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _is_asked_for(giosg: Giosg, chat_id: str) -> bool:
    return bool(await giosg.calls(f"/owned_chats/{chat_id}"))


async def _ended(giosg: Giosg, chat_id: str) -> bool:
    return (await giosg.chat(chat_id)).is_ended


async def _is_told(desk: Desk, conversation: Conversation, kind: str) -> bool:
    return kind in await desk.types(conversation)


async def _is_in_second(giosg: Giosg, text: str) -> bool:
    chats = await giosg.chats()
    return len(chats) == 2 and chats[1].texts("visitor") == [text]


async def _is_in_last(giosg: Giosg, text: str) -> bool:
    chats = await giosg.chats()
    return bool(chats) and chats[-1].texts("visitor") == [text]
