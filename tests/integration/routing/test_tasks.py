"""The task manage_stubsession, as an event and as a command: what it sets, replaces and ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker.domain.subjects import Conversation, Kind
from tests.integration.routing.conftest import Chat

Body = dict[str, Any]
as_event_or_command = pytest.mark.parametrize("by_command", [False, True], ids=["as an event", "as a command"])


def task(conversation: Conversation, operation: str, **members: object) -> Body:
    content = {"operation": operation, "sessionuuid": conversation.session, **members}
    return {"tasktype": "manage_stubsession", "params": {"platform": "webchat", "webchat": content}}


async def manage(chat: Chat, conversation: Conversation, body: Body, *, stub: str, by_command: bool) -> None:
    operation = body["params"]["webchat"]["operation"]
    if by_command:
        reply = await chat.command("linkset" if operation == "set" else "linkdelete", body, stub=stub)
        assert "error" not in reply
    else:
        kind = Kind.SET if operation == "set" else Kind.DELETE
        await chat.publish(conversation.subject(kind), body, stub=stub)
    await chat.settled()


async def opened(chat: Chat) -> Conversation:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    return conversation


@pytest.mark.check(31)
@as_event_or_command
async def test_check_31_a_set_without_stubref_and_hours_links_its_sender_for_24_hours(
    chat: Chat, *, by_command: bool
) -> None:
    conversation = await opened(chat)
    await manage(chat, conversation, task(conversation, "set"), stub="svc.B", by_command=by_command)
    [fact] = await chat.facts(conversation, Kind.LINKED)
    assert (fact["stub"], fact["timeout_hours"]) == ("svc.B", 24)
    [link] = (await chat.command("links", {"stub": "svc.B"}))["links"]
    assert 23 * 3600 < link["ttl_seconds"] <= 24 * 3600


@pytest.mark.check(32)
@as_event_or_command
async def test_check_32_a_set_for_another_stub_hands_the_conversation_over(chat: Chat, *, by_command: bool) -> None:
    conversation = await opened(chat)
    await chat.link(conversation, "svc.B")
    body = task(conversation, "set", stubref="desk.C")
    await manage(chat, conversation, body, stub="svc.B", by_command=by_command)
    await chat.say(conversation, "is it you?")
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action, post["message"]) == ("desk.C", "_update_from_webchat", "is it you?")
    assert (await chat.facts(conversation, Kind.LINKED))[-1]["replaces"] == "svc.B"


@pytest.mark.check(33)
@as_event_or_command
async def test_check_33_a_delete_succeeds_with_and_without_a_link_and_the_next_message_is_unlinked(
    chat: Chat, *, by_command: bool
) -> None:
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    linked, unlinked = await opened(chat), await opened(chat)
    await chat.link(linked, "svc.B")
    for conversation in (linked, unlinked):
        await manage(chat, conversation, task(conversation, "delete"), stub="svc.X", by_command=by_command)
        await chat.say(conversation, "hi")
        await chat.settled()
    runs = await chat.expect_runs(2)
    assert [(stub, action) for stub, action, _ in runs] == [("svc.A", "create_stub")] * 2
    assert [fact["reason"] for fact in await chat.facts(linked, Kind.CANCELLED)] == ["deleted"]
    assert await chat.facts(unlinked, Kind.CANCELLED) == []
    assert await chat.dead() == []


@pytest.mark.check(30)
async def test_check_30_of_two_stubs_that_set_at_once_exactly_one_owns_the_session(chat: Chat) -> None:
    conversation = await opened(chat)
    stubs = ["svc.A", "svc.B"]
    hours = {"set_new_with_timeout_hours": 1}
    for _ in range(5):
        await asyncio.gather(*(chat.notify(conversation, stub, stubsession=hours) for stub in stubs))
    await chat.settled()
    owner = (await chat.facts(conversation, Kind.LINKED))[-1]["stub"]
    lists = {stub: (await chat.command("links", {"stub": stub}))["links"] for stub in stubs}
    assert {stub: len(links) for stub, links in lists.items()} == {stub: int(stub == owner) for stub in stubs}
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == owner


async def test_the_reply_to_a_set_is_the_link_that_the_log_sets_cut_to_the_most(chat: Chat) -> None:
    conversation = await opened(chat)
    body = task(conversation, "set", set_new_with_timeout_hours=9_999, set_feedback_action="answer")
    reply = await chat.command("linkset", body, stub="svc.B")
    await chat.settled()
    [fact] = await chat.facts(conversation, Kind.LINKED)
    assert reply == {
        "sequence": fact["epoch"],
        "duplicate": False,
        "sessionuuid": conversation.session,
        "stub": fact["stub"],
        "feedback_action": fact["feedback_action"],
        "timeout_hours": fact["timeout_hours"],
        "clamped": fact["clamped"],
    }
    assert (fact["timeout_hours"], fact["clamped"]) == (720, True)


@pytest.mark.parametrize("hours", [0, -1])
async def test_a_set_for_no_time_is_refused(chat: Chat, hours: float) -> None:
    conversation = await opened(chat)
    reply = await chat.command("linkset", task(conversation, "set", set_new_with_timeout_hours=hours), stub="svc.B")
    assert reply["error"]["code"] == "invalid_body"
    assert "set_new_with_timeout_hours" in reply["error"]["message"]


@pytest.mark.check(14)
async def test_check_14_a_platform_switch_is_offered_while_unlinked_and_given_to_the_owner_alone_while_linked(
    chat: Chat,
) -> None:
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.configuration", stub="svc.A", action="switch")
    conversation = await opened(chat)
    switch = {"platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}}
    body = chat.visitor_body(conversation, webchat_client_configuration=switch)
    await chat.publish(conversation.subject(Kind.CONFIGURATION), body)
    await chat.settled()
    await chat.link(conversation, "svc.B")
    await chat.publish(conversation.subject(Kind.CONFIGURATION), body)
    unlinked, linked = await chat.expect_runs(2)
    assert (*unlinked[:2], *linked[:2]) == ("svc.A", "switch", "svc.B", "_update_from_webchat")
    assert unlinked[2]["data"]["heimdall"]["webchat"]["webchat_client_configuration"] == switch
    assert linked[2]["data"]["_incoming_webchat_data"]["webchat_client_configuration"] == switch
