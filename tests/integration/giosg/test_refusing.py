"""Nobody is at the desk: the conversation goes back, or waits, and no text is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.subjects import STUBS, Conversation, Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, Desk, running_desk
from tests.standins.giosg_control import ROOM_ID, Giosg


@pytest.mark.parametrize(("state", "status"), [("offline", 403), ("closed", 400)])
async def test_check_21_a_closed_room_makes_no_visitor_and_one_notice(
    desk: Desk, giosg: Giosg, state: Literal["offline", "closed"], status: int
) -> None:
    await giosg.configure(offline_status=status)
    await giosg.room(state)
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await poll(lambda: _runs(desk, 1))
    assert await desk.types(conversation) == ["unavailable"]
    (told,) = await desk.told(conversation)
    assert told.event["check_again_at_ms"] > 0
    assert await giosg.calls("/auth") == []
    assert await giosg.chats() == []


async def test_the_stub_that_handed_over_has_the_conversation_again_with_the_text(desk: Desk, giosg: Giosg) -> None:
    await giosg.room("offline")
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await desk.say(conversation, "anybody?")
    await poll(lambda: _texts_of_bot(desk, "anybody?"))
    await poll(lambda: _owned_by(desk, conversation, BOT))
    assert (await desk.runs_of(BOT))[0][0] == "_update_from_giosg"
    assert (await desk.types(conversation)).count("unavailable") == 1
    assert await desk.letters() == []


async def test_where_nobody_handed_over_the_text_is_kept(desk: Desk, giosg: Giosg) -> None:
    await desk.route_here()
    await giosg.room("offline")
    conversation = await desk.open()
    await desk.say(conversation, "anybody?")
    await poll(lambda: _letters(desk, ["desk_unavailable"]))
    assert await desk.types(conversation) == ["unavailable"]
    await giosg.room("online")
    await desk.say(conversation, "and now?")
    chat_id = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, chat_id, ["and now?"]))


async def test_check_22_three_held_texts_arrive_in_order_in_one_chat(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    worker = {"hold_look_s": 0.2}
    async with running_desk(server.url, org, giosg, tmp_path, worker=worker, offline_policy="hold") as desk:
        await desk.route_here()
        await giosg.room("offline")
        conversation = await desk.open()
        for text in ("one", "two", "three"):
            await desk.say(conversation, text)
        await poll(lambda: _told(desk, conversation, ["held"]))
        assert await giosg.calls("/auth") == []
        await giosg.room("online")
        chat_id = await desk.chat_id(conversation)
        await poll(lambda: _texts(giosg, chat_id, ["one", "two", "three"]))
        assert len(await giosg.chats()) == 1
        assert (await desk.types(conversation)).count("held") == 1


async def test_a_hold_ends_with_its_time(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    held = {"offline_policy": "hold", "hold_max_seconds": 1}
    async with running_desk(server.url, org, giosg, tmp_path, worker={"hold_look_s": 0.2}, **held) as desk:
        await giosg.room("offline")
        conversation = await desk.open()
        await desk.hand_over(conversation)
        await desk.say(conversation, "anybody?")
        await poll(lambda: _texts_of_bot(desk, "anybody?"))
        assert await desk.types(conversation) == ["held", "unavailable"]


async def test_a_hold_ends_when_the_visitor_leaves(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(
        server.url, org, giosg, tmp_path, worker={"hold_look_s": 0.2}, offline_policy="hold"
    ) as desk:
        await desk.route_here()
        await giosg.room("offline")
        conversation = await desk.open()
        await desk.say(conversation, "anybody?")
        await poll(lambda: _told(desk, conversation, ["held"]))
        await desk.end(conversation)
        await poll(lambda: _letters(desk, ["desk_unavailable"]))
        case = await desk.case(conversation)
        assert case is not None
        assert (case.stage, case.held_since_ms) == ("none", None)


@pytest.mark.parametrize("status", [403, 400, 409])
async def test_check_23_a_refused_chat_of_a_room_that_has_closed_is_unavailable(
    desk: Desk, giosg: Giosg, status: int
) -> None:
    await giosg.configure(offline_status=status)
    await giosg.room("offline")
    body = json.dumps({"id": ROOM_ID, "is_online": True, "is_humans_online": True, "language_code": "en"})
    await giosg.fault(method="GET", path=f"/rooms/{ROOM_ID}", status=200, body=body)
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await poll(lambda: _runs(desk, 1))
    assert await desk.types(conversation) == ["unavailable"]
    assert len(await giosg.calls("/chats", method="POST")) == 1


async def test_a_chat_refused_though_the_room_is_open_fails_with_giosgs_words(desk: Desk, giosg: Giosg) -> None:
    await desk.route_here()
    await giosg.fault(method="POST", path="/chats", status=400, body='{"detail": "Too many chats"}')
    conversation = await desk.open()
    await desk.say(conversation, "hello")
    await poll(lambda: _letters(desk, ["desk_refused"]))
    assert "Too many chats" in (await desk.letters())[0]["detail"]
    (told,) = await desk.told(conversation)
    assert (told.type, told.event["reason"]) == ("message.failed", "start_rejected")


async def test_a_run_for_a_desk_that_there_is_not_is_kept_with_a_sentence(desk: Desk) -> None:
    conversation = await desk.open()
    subject = f"{STUBS}.org.{desk.org}.service.giosg.stubref.nosuch.action._update_from_webchat"
    headers = {names.CONVERSATION: conversation.prefix}
    await desk.backbone.publisher.store(subject, encode({"stubpost": {"message": "hello", "data": {}}}), headers)
    await poll(lambda: _letters(desk, ["unknown_desk"]))
    assert "giosg.nosuch" in (await desk.letters())[0]["detail"]


async def _runs(desk: Desk, count: int) -> bool:
    return len(await desk.runs_of(BOT)) == count


async def _texts_of_bot(desk: Desk, text: str) -> bool:
    return [post["message"] for _, post in await desk.runs_of(BOT) if post["message"]] == [text]


async def _letters(desk: Desk, reasons: list[str]) -> bool:
    return [letter["reason"] for letter in await desk.letters()] == reasons


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _told(desk: Desk, conversation: Conversation, types: list[str]) -> bool:
    return await desk.types(conversation) == types


async def _owned_by(desk: Desk, conversation: Conversation, stub: str) -> bool:
    _, fact = (await desk.events(conversation, Kind.LINKED))[-1]
    return str(fact["stub"]) == stub
