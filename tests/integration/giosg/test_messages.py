"""What agents say and do reaches the visitor: the acceptance checks of specs/giosg.md about messages."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from broker.codec import decode
from broker.domain.wire import Body
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import DESK, Desk, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.integration.giosg.talking import begin
from tests.standins.giosg_control import Giosg
from workers.giosg.hearing.sequencer import WAIT_S
from workers.giosg.hearing.typing import Typing
from workers.giosg.telling.visitor import Visitors
from workers.giosg.wire import Membership


async def test_check_05_the_echo_of_a_send_is_not_delivered(desk: Desk) -> None:
    talk = await begin(desk, "Hello")
    await talk.until_worked_off()
    assert [one.status for one in await talk.deliveries("added")] == [200] * 2, "the chat, and the visitor's message"
    assert [one.text for one in await desk.told(talk.conversation) if one.text] == []


async def test_check_06_an_echo_before_the_answer_confirms_the_send_once(desk: Desk) -> None:
    await desk.giosg.webhooks(echo="before")
    talk = await begin(desk, "Hello")
    await talk.until_worked_off()
    case = await talk.case()
    (sent,) = (await desk.giosg.chat(talk.chat_id)).messages
    assert (list(case.sent.values()), case.echoes) == ([[sent["id"]]], [])
    assert [one.text for one in await desk.told(talk.conversation) if one.text] == []


async def test_check_08_an_agents_message_comes_once_under_the_public_name(desk: Desk) -> None:
    talk = await begin(desk)
    agent = (await desk.giosg.agents())[0]
    assert agent["public_name"] != agent["name"]
    await desk.giosg.say(talk.chat_id, "How can I help?", agent_id=agent["id"])
    await talk.until_heard("How can I help?")
    await talk.until_worked_off()
    told = await desk.told(talk.conversation)
    (message,) = [one for one in told if one.type == "agent.message"]
    assert (message.agent, message.event["agent"]["name"]) == (agent["public_name"],) * 2
    assert (message.event["desk"], message.event["text"]) == (DESK, "How can I help?")
    assert agent["name"] not in repr(told), "the internal name is nobody's business"


async def test_check_09_the_same_webhook_three_times_is_one_message(desk: Desk) -> None:
    await desk.giosg.webhooks(copies=3)
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "Once")
    await talk.until_worked_off()
    message = (await desk.giosg.chat(talk.chat_id)).messages[-1]
    tries = [one for one in await talk.deliveries("added") if one.resource_id == message["id"]]
    assert [one.status for one in tries] == [200] * 3
    assert await desk.heard(talk.conversation) == ["Once"]


async def test_check_10_messages_that_come_in_reverse_are_seen_in_giosgs_order(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, worker={"order_wait_s": WAIT_S}) as desk:
        await desk.subscribe()
        talk = await begin(desk)
        await giosg.join(talk.chat_id)
        await talk.until_worked_off()
        await giosg.webhooks(reorder_window_ms=600)
        begun_s = time.monotonic()
        await asyncio.gather(*(giosg.say(talk.chat_id, text, wait=False) for text in ("first", "second")))
        await talk.until_worked_off()
        assert time.monotonic() - begun_s >= WAIT_S, "the first of them waited for its elder"
        assert await desk.heard(talk.conversation) == (await giosg.chat(talk.chat_id)).texts("user")
        added = [one for one in await talk.deliveries("added") if one.body["resource"].get("sender_type") == "user"]
        assert [one.body["resource"]["message"] for one in added[-2:]] == (await giosg.chat(talk.chat_id)).texts()[
            :0:-1
        ]


async def test_check_15_a_removed_message_is_one_deletion(desk: Desk) -> None:
    talk = await begin(desk)
    message = await desk.giosg.say(talk.chat_id, "Oops")
    await talk.until_heard("Oops")
    await desk.giosg.webhooks(copies=3)
    await desk.giosg.remove_message(talk.chat_id, message["id"])
    await talk.until_worked_off()
    removed = await talk.deliveries("removed")
    assert {one.status for one in removed} == {200}
    assert all("resource" not in one.body for one in removed)
    (gone,) = [one for one in await desk.told(talk.conversation) if one.type == "agent.message.deleted"]
    assert (gone.event["id"], gone.text) == (message["id"], None)


async def test_check_16_a_chat_of_the_website_costs_one_look_up_for_all_its_messages(desk: Desk) -> None:
    chat = await desk.giosg.foreign_chat(text="Hello from the website")
    agent = (await desk.giosg.agents())[0]["id"]
    await asyncio.gather(*(desk.giosg.say(chat.id, f"answer {n}", agent_id=agent) for n in range(50)))
    await desk.giosg.settle()
    found = [one for one in await desk.giosg.deliveries() if chat.id in (one.resource_id, *one.channel.split("/"))]
    assert len(found) > 50
    assert {one.status for one in found} == {200}
    assert len(await desk.giosg.calls(f"/owned_chats/{chat.id}/memberships")) == 1


async def test_check_35_an_encrypted_message_is_told_as_unreadable_and_is_one_alarm(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = await begin(desk)
    for text in ("secret", "more"):
        await desk.giosg.say(talk.chat_id, text, encrypted=True)
    await talk.until_told("agent.message.unreadable", 2)
    assert {one.status for one in await talk.deliveries("added")} == {200}
    assert await desk.heard(talk.conversation) == []
    await poll(lambda: _has_problem(desk, "encrypted_room"))
    await desk.giosg.say(talk.chat_id, "readable again")
    await talk.until_heard("readable again")
    alarms = [line for line in capsys.readouterr().out.splitlines() if "connection_worsened" in line]
    assert [("encrypted_room" in line) for line in alarms] == [True]


async def test_check_36_attachments_without_a_text_are_readable(desk: Desk) -> None:
    talk = await begin(desk)
    card = {
        "title": "Shoes",
        "title_link_url": "https://shop.example/shoes",
        "text": "Red",
        "actions": [{"text": "Buy", "type": "button", "value": "buy"}],
    }
    await desk.giosg.say(talk.chat_id, None, attachments=[card])
    await talk.until_heard("Shoes: https://shop.example/shoes\nRed\n[Buy]")
    (message,) = [one for one in await desk.told(talk.conversation) if one.type == "agent.message"]
    assert message.event["attachments"][0]["actions"][0]["text"] == "Buy"


async def test_an_edit_is_told_once_and_only_if_the_text_is_another(desk: Desk) -> None:
    talk = await begin(desk)
    message = await desk.giosg.say(talk.chat_id, "Nine euros")
    await talk.until_heard("Nine euros")
    await desk.giosg.webhooks(copies=2)
    for text in ("Nine euros", "Ten euros"):
        await desk.giosg.edit_message(talk.chat_id, message["id"], text)
    await talk.until_told("agent.message.edited")
    await talk.until_worked_off()
    (edit,) = [one for one in await desk.told(talk.conversation) if one.type == "agent.message.edited"]
    assert (edit.event["id"], edit.event["text"], edit.text) == (message["id"], "Ten euros", "Correction: Ten euros")


async def test_a_change_of_a_message_that_never_came_brings_the_message(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    await desk.giosg.webhooks(drop_rate=1.0)
    message = await desk.giosg.say(talk.chat_id, "Lost")
    await desk.giosg.webhooks(drop_rate=0.0)
    await desk.giosg.edit_message(talk.chat_id, message["id"], "Lost and found")
    await talk.until_heard("Lost and found")


async def test_who_comes_and_goes_is_told_and_moves_the_conversation(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await desk.giosg.leave(talk.chat_id)
    await talk.until_told("agent.left")
    await talk.until_worked_off()
    assert (await talk.case()).stage == "unattended"
    types = await desk.types(talk.conversation)
    assert [types.count(kind) for kind in ("agent.joined", "session.active", "agent.left")] == [1, 1, 1]
    assert types.index("agent.joined") < types.index("agent.left")


async def test_without_agent_events_nobody_is_told_who_comes(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, deliver_agent_events=False, language="fi") as desk:
        await desk.subscribe()
        talk = await begin(desk)
        message = await giosg.say(talk.chat_id, "Moi")
        await talk.until_heard("Moi")
        await giosg.edit_message(talk.chat_id, message["id"], "Hei")
        await talk.until_told("agent.message.edited")
        told = await desk.told(talk.conversation)
        assert "agent.joined" not in [one.type for one in told]
        assert told[-1].text == "Korjaus: Hei"


async def test_that_an_agent_writes_is_shown_and_ends_by_itself(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, typing_from_giosg=True) as desk:
        talk = await begin(desk)
        agent = await giosg.join(talk.chat_id)
        shown: list[Body] = []
        signal = talk.conversation.signal("typing")
        heard = await desk.backbone.connection.hear(signal, lambda _, __, data, ___: shown.append(decode(data)))
        async with hearing_elsewhere(desk, tmp_path) as elsewhere:
            visitors = Visitors(desk.backbone.connection, desk.backbone.publisher)
            typing = Typing(desk.cases, elsewhere.parts.ownership, visitors, off_after_s=0.1)
            for status in ("composing", "idle", "typing"):
                member = Membership(member_type="user", member_public_name="Aino", composing_status=status)
                await typing.member_changed(elsewhere.connection, agent.id, member)
            await typing.member_changed(
                elsewhere.connection, agent.id, Membership(member_type="visitor", composing_status="composing")
            )
            await poll(lambda: len(shown) == 4)
        await heard.unsubscribe()
        assert [one["typing"] for one in shown] == [True, False, True, False]
        assert {(one["from"], one["agent"]) for one in shown} == {("stub", "Aino")}


async def _has_problem(desk: Desk, code: str) -> bool:
    entry = await desk.backbone.records("CHATS_giosg").read("health.support")
    return entry.value is not None and code.encode() in entry.value
