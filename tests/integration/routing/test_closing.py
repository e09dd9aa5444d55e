"""What becomes of a stub's conversations when it closes."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from broker.domain.ids import OrgId, Stub
from broker.domain.stubsessions import closed_key
from broker.domain.subjects import Kind
from broker.transport.records import Records
from broker.transport.topology import STUBSESSIONS
from tests.integration.routing.conftest import Chat


@pytest.mark.check(27)
async def test_check_27_when_a_stub_closes_its_links_end_and_the_next_message_goes_the_unlinked_way(
    chat: Chat,
) -> None:
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.message", stub="svc.B", action="never")
    ours, theirs = chat.conversation(), chat.conversation()
    await chat.link_after_open(ours, "svc.B")
    await chat.link_after_open(theirs, "svc.C")
    reply = await chat.command("stubclose", {"stub": "svc.B"})
    assert reply == {"stub": "svc.B", "links": 1, "registrations": 1}
    await chat.settled()
    [fact] = await chat.facts(ours, Kind.CANCELLED)
    assert (fact["stub"], fact["reason"]) == ("svc.B", "closed")
    await chat.say(ours, "anybody?")
    await chat.say(theirs, "still there?")
    runs = await chat.expect_runs(2)
    assert sorted((stub, action) for stub, action, _ in runs) == [
        ("svc.A", "create_stub"),
        ("svc.C", "_update_from_webchat"),
    ]
    assert (await chat.command("links", {"stub": "svc.B"}))["links"] == []


async def test_a_closed_stub_is_refused_a_link_by_command_and_gets_none_by_event(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.command("stubclose", {"stub": "svc.B"})
    content = {"operation": "set", "sessionuuid": conversation.session}
    reply = await chat.command("linkset", {"params": {"platform": "webchat", "webchat": content}}, stub="svc.B")
    assert reply["error"]["code"] == "stub_closed"
    epoch = await chat.link(conversation, "svc.B")
    [fact] = await chat.facts(conversation, Kind.CANCELLED)
    assert (fact["epoch"], fact["reason"]) == (epoch, "closed")
    await chat.say(conversation, "anybody?")
    await chat.expect_dead("unrouted")
    assert (await chat.command("links", {}))["links"] == []


async def test_a_link_handed_over_before_its_stub_closes_stays_with_the_new_owner(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    await chat.link(conversation, "svc.C")
    await chat.command("stubclose", {"stub": "svc.B"})
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.C"
    assert await chat.facts(conversation, Kind.CANCELLED) == []


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.01])
async def test_no_link_outlives_the_closing_however_the_two_fall_together(chat: Chat, after_s: float) -> None:
    conversations = [chat.conversation() for _ in range(30)]
    for conversation in conversations:
        await chat.open(conversation)
    await chat.settled()

    async def link_all() -> None:
        for conversation in conversations:
            await chat.notify(conversation, "svc.B", stubsession={"set_new_with_timeout_hours": 1})

    linking = asyncio.create_task(link_all())
    await asyncio.sleep(after_s)
    await chat.command("stubclose", {"stub": "svc.B"})
    await linking
    await chat.settled()
    assert (await chat.command("links", {}))["links"] == []
    for conversation in conversations:
        linked = await chat.facts(conversation, Kind.LINKED)
        cancelled = await chat.facts(conversation, Kind.CANCELLED)
        assert [fact["epoch"] for fact in linked] == [fact["epoch"] for fact in cancelled]
        assert {fact["reason"] for fact in cancelled} == {"closed"}


async def test_closing_a_stub_of_another_org_touches_nothing_here(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    await chat.command("stubclose", {"stub": "svc.B"}, org=str(uuid4()))
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"
    records = Records(chat.connection, chat.publisher, STUBSESSIONS)
    assert (await records.read(closed_key(OrgId(chat.org), Stub.parse("svc.B")))).value is None
