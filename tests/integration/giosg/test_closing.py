"""The visitor leaves, or another stub takes the conversation over: what becomes of the chat."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.domain.subjects import Conversation, Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, Desk, running_desk
from tests.standins.giosg_control import Giosg


async def test_check_43_a_visitor_who_leaves_ends_the_chat(desk: Desk, giosg: Giosg) -> None:
    conversation, chat_id = await _open(desk, giosg)
    await desk.end(conversation)
    await poll(lambda: _is_told(desk, conversation, "session.ended"), within_s=10)
    assert await _reasons(desk, conversation) == ["ended_by_visitor"]
    chat = await giosg.chat(chat_id)
    assert (chat.is_ended, chat.ended_by) == (True, "visitor")


@pytest.mark.parametrize("status", [405, 403, 404])
async def test_check_43_where_visitors_cannot_end_a_chat_the_session_closes_nevertheless(
    desk: Desk, giosg: Giosg, status: int
) -> None:
    await giosg.configure(end_status=status)
    conversation, chat_id = await _open(desk, giosg)
    await desk.end(conversation)
    await poll(lambda: _is_told(desk, conversation, "session.ended"), within_s=10)
    assert await _reasons(desk, conversation) == ["ended_by_visitor"]
    (left,) = await giosg.calls(f"/chat_memberships/{chat_id}")
    assert left.body["is_participating"] is False
    case = await desk.case(conversation)
    assert case is not None
    assert case.stage == "ended"


async def test_where_visitors_can_neither_end_nor_leave_the_session_closes(desk: Desk, giosg: Giosg) -> None:
    await giosg.configure(end_status=405, typing_status=404)
    conversation, _ = await _open(desk, giosg)
    await desk.end(conversation)
    await poll(lambda: _is_told(desk, conversation, "session.ended"), within_s=10)
    assert await _reasons(desk, conversation) == ["ended_by_visitor"]


@pytest.mark.parametrize("wish", ["leave", "nothing"])
async def test_a_chat_may_stay_open_for_its_agent(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path, wish: str
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, on_visitor_close=wish) as desk:
        conversation, chat_id = await _open(desk, giosg)
        await desk.end(conversation)
        await poll(lambda: _is_told(desk, conversation, "session.ended"))
        assert len(await giosg.calls("/chat_memberships")) == (wish == "leave")
        assert (await giosg.chat(chat_id)).is_ended is False


async def test_another_stub_that_takes_the_conversation_ends_the_chat_without_a_word(desk: Desk, giosg: Giosg) -> None:
    conversation, chat_id = await _open(desk, giosg)
    await desk.link(conversation, BOT)
    await poll(lambda: _is_ended(giosg, chat_id))
    await poll(lambda: _is_told(desk, conversation, "session.ended"), within_s=10)
    (told,) = [each for each in await desk.told(conversation) if each.type == "session.ended"]
    assert (told.text, told.event["reason"]) == (None, "released")
    linked = [fact["stub"] for _, fact in await desk.events(conversation, Kind.LINKED)]
    assert linked == [BOT, "giosg.support", BOT]


async def _open(desk: Desk, giosg: Giosg) -> tuple[Conversation, str]:
    """A conversation with a chat that somebody wrote in."""
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    await desk.say(conversation, "hello")
    await poll(lambda: _texts(giosg, chat_id, ["hello"]))
    return conversation, chat_id


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _is_ended(giosg: Giosg, chat_id: str) -> bool:
    return (await giosg.chat(chat_id)).is_ended


async def _is_told(desk: Desk, conversation: Conversation, kind: str) -> bool:
    return kind in await desk.types(conversation)


async def _reasons(desk: Desk, conversation: Conversation) -> list[object]:
    return [each.event["reason"] for each in await desk.told(conversation) if each.type == "session.ended"]
