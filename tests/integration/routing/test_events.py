"""Which events there are, who hears of them, and what becomes of those that nobody can take."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from broker.domain.subjects import Kind
from tests.integration.routing.conftest import Chat


@pytest.mark.check(7)
async def test_check_07_a_registration_without_a_session_pair_runs_exactly_once(chat: Chat) -> None:
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    await chat.say(chat.conversation(), "hello", Kind.FIRSTMESSAGE)
    runs = await chat.expect_runs(1)
    assert runs[0][:2] == ("svc.A", "create_stub")
    assert runs[0][2]["message"] == "registered"
    assert runs[0][2]["data"]["heimdall"]["webchat"]["webchat_message"]["value"] == "hello"


@pytest.mark.check(8)
async def test_check_08_single_and_doubled_session_pairs_both_match_once(chat: Chat) -> None:
    conversation = chat.conversation()
    single = f"{conversation.prefix}.webchatmessagetype.configuration"
    doubled = f"{conversation.prefix}.sessionuuid.{conversation.session}.webchatmessagetype.configuration"
    await chat.register(single, stub="svc.A", action="single")
    await chat.register(doubled, stub="svc.A", action="doubled")
    switch = {"platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}}
    body = chat.visitor_body(conversation, webchat_client_configuration=switch)
    await chat.publish(conversation.subject(Kind.CONFIGURATION), body)
    runs = await chat.expect_runs(2)
    assert sorted(action for _, action, _ in runs) == ["doubled", "single"]
    assert conversation.subject(Kind.CONFIGURATION).count("sessionuuid") == 1


@pytest.mark.check(9)
async def test_check_09_initialize_runs_the_registered_action_with_the_session_and_no_message(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(chat.path.initialize(), stub="svc.A", action="welcome")
    await chat.open(conversation)
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.A", "welcome")
    assert post["data"]["heimdall"]["webchat"]["sessionuuid"] == conversation.session
    assert "webchat_message" not in post["data"]["heimdall"]["webchat"]


@pytest.mark.check(11)
async def test_check_11_two_unlinked_messages_are_one_firstmessage_and_one_message_in_order(chat: Chat) -> None:
    conversation = chat.conversation()
    for kind in ("firstmessage", "message"):
        await chat.register(f"{chat.path.prefix}.webchatmessagetype.{kind}", stub="svc.A", action=kind)
    await chat.say(conversation, "one", Kind.FIRSTMESSAGE)
    await chat.say(conversation, "two", Kind.MESSAGE)
    runs = await chat.expect_runs(2)
    assert [action for _, action, _ in runs] == ["firstmessage", "message"]


@pytest.mark.check(12)
async def test_check_12_pass_through_data_arrive_byte_for_byte_in_either_spelling(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(chat.path.initialize(), stub="svc.A", action="welcome")
    await chat.open(conversation)
    await chat.expect_runs(1)
    await chat.link(conversation, "svc.B")
    await chat.say(conversation, "hi")
    runs = await chat.expect_runs(2)
    assert runs[0][2]["data"]["heimdall"]["webchat"]["webchat_configuration"]["passthroughData"] == "{'a':'b'}"
    incoming = runs[1][2]["data"]["_incoming_webchat_data"]
    assert incoming["webchat_configuration"]["pass_through_data"] == "{'a':'b'}"
    assert incoming["webchat_configuration"]["branch"] == "draft"


@pytest.mark.check(13)
async def test_check_13_a_second_message_that_claims_to_be_the_first_is_still_a_message(chat: Chat) -> None:
    conversation = chat.conversation()
    for kind in ("firstmessage", "message"):
        await chat.register(f"{chat.path.prefix}.webchatmessagetype.{kind}", stub="svc.A", action=kind)
    await chat.say(conversation, "one", Kind.FIRSTMESSAGE)
    await chat.say(conversation, "two", Kind.FIRSTMESSAGE, FIRST_MESSAGE=True)
    runs = await chat.expect_runs(2)
    assert [action for _, action, _ in runs] == ["firstmessage", "message"]


async def test_a_message_that_nobody_takes_is_kept_as_unrouted_with_its_original(chat: Chat) -> None:
    conversation = chat.conversation()
    sequence = await chat.say(conversation, "anybody?")
    letter = await chat.expect_dead("unrouted")
    assert (letter["sequence"], letter["subject"]) == (sequence, conversation.subject(Kind.MESSAGE))
    assert b"anybody?" in letter["body"]


async def test_what_is_typed_before_the_stub_answers_is_held_and_reaches_it_in_order(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    for text in ("one", "two", "three"):
        await chat.say(conversation, text)
    await chat.expect_runs(1)
    await chat.link(conversation, "svc.B")
    await chat.say(conversation, "four")
    runs = await chat.expect_runs(4)
    assert [(stub, post["message"]) for stub, _, post in runs[1:]] == [
        ("svc.B", "two"),
        ("svc.B", "three"),
        ("svc.B", "four"),
    ]
    assert await chat.dead() == []


async def test_a_hundred_first_messages_at_once_are_one_conversation_in_order(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    body = [
        chat.visitor_body(conversation, webchat_message={"type": "text", "value": str(number)}) for number in range(60)
    ]
    for one in body:
        await chat.publish(conversation.subject(Kind.FIRSTMESSAGE), one)
    await chat.expect_runs(1)
    await chat.link(conversation, "svc.B")
    runs = await chat.expect_runs(60)
    assert [post["message"] for _, _, post in runs[1:]] == [str(number) for number in range(1, 60)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\xc1 garbage", "undecodable", id="neither msgpack nor JSON"),
        pytest.param(b"{not json", "undecodable", id="broken JSON"),
        pytest.param(b'{"heimdall": {}}', "invalid_body", id="JSON that does not validate"),
        pytest.param(b"\x93\x01\x02\x03", "undecodable", id="msgpack that is no map"),
    ],
)
async def test_a_body_that_cannot_be_read_is_kept_with_its_reason_and_stops_nobody(
    chat: Chat, data: bytes, code: str
) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    await chat.publish(conversation.subject(Kind.MESSAGE), data)
    await chat.say(conversation, "after")
    letter = await chat.expect_dead(code)
    assert letter["body"] == data
    [(_, _, post)] = await chat.expect_runs(1)
    assert post["message"] == "after"


async def test_a_subject_outside_the_grammar_is_kept_with_its_reason(chat: Chat) -> None:
    await chat.publish(f"{chat.path.prefix}.webchatmessagetype.begin", {"heimdall": {}})
    letter = await chat.expect_dead("bad_subject")
    assert "expected" in letter["detail"]


@pytest.mark.check(39)
async def test_check_39_a_notification_to_an_unknown_session_is_refused_and_makes_no_link(chat: Chat) -> None:
    conversation = chat.conversation()
    stubsession = {"set_new_with_timeout_hours": 24}
    await chat.notify(conversation, "svc.B", stubsession=stubsession)
    await chat.expect_dead("unknown_session")
    body = {"platforms": {"webchat": {"sessionuuid": conversation.session, "stubsession": stubsession}}}
    reply = await chat.command("notify", body, stub="svc.B")
    assert reply["error"]["code"] == "unknown_session"
    assert (await chat.command("links", {}))["links"] == []
    assert await chat.facts(conversation, Kind.LINKED) == []


async def test_another_orgs_session_is_forbidden_by_path_and_by_command(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    stranger = Chat(chat.connection, chat.publisher, str(uuid4()))
    theirs = stranger.path.conversation(conversation.session)
    await chat.settled()
    await stranger.notify(theirs, "evil.X", stubsession={"set_new_with_timeout_hours": 1})
    await stranger.expect_dead("forbidden")
    body = {"platforms": {"webchat": {"sessionuuid": conversation.session}}}
    reply = await stranger.command("notify", body, stub="evil.X")
    assert reply["error"]["code"] == "forbidden"
    assert (await stranger.command("session", {"sessionuuid": conversation.session}))["error"]["code"] == "forbidden"
    assert await chat.facts(conversation, Kind.LINKED) == []


@pytest.mark.check(41)
async def test_check_41_the_same_event_sent_twice_runs_the_action_once(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    body = chat.visitor_body(conversation, webchat_message={"type": "text", "value": "once"})
    first = await chat.publish(conversation.subject(Kind.MESSAGE), body, message_id=f"{conversation.session}-x")
    again = await chat.publish(conversation.subject(Kind.MESSAGE), body, message_id=f"{conversation.session}-x")
    assert first == again
    await chat.expect_runs(1)


async def test_an_unknown_type_under_a_session_is_kept_with_its_reason(chat: Chat) -> None:
    conversation = chat.conversation()
    body = chat.visitor_body(conversation, webchat_message={"type": "text", "value": "hi"})
    await chat.publish(f"{conversation.prefix}.webchatmessagetype.mesage", body)
    letter = await chat.expect_dead("bad_subject")
    assert "firstmessage" in letter["detail"]


async def test_a_registration_of_one_time_is_used_by_exactly_one_of_many_events_at_once(chat: Chat) -> None:
    path = f"{chat.path.prefix}.webchatmessagetype.firstmessage"
    await chat.register(path, stub="svc.A", action="once", keep=False)
    conversations = [chat.conversation() for _ in range(8)]
    for conversation in conversations:
        await chat.say(conversation, "me!")
    await chat.settled()
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.A", "once")
    assert len(await chat.dead()) == len(conversations) - 1
    assert (await chat.command("registrations", {}))["registrations"] == []
    await chat.link(next(c for c in conversations if c.session == _session_of(post)), "svc.B")


async def test_a_registration_of_one_time_may_be_made_again(chat: Chat) -> None:
    params = {
        "uuid": str(uuid4()),
        "on_trigger_method": "remove",
        "events": {"it": {"path": chat.path.initialize(), "mechanism": "evt", "timeout_seconds": 60}},
        "trigger_stubaction": {"action_name": "once", "stubref": "svc.A"},
    }
    for count in (1, 2):
        await chat.command("register", {"tasktype": "heimdall_register", "params": params})
        for _ in range(2):
            await chat.open(chat.conversation())
        await chat.expect_runs(count)


def _session_of(post: dict[str, Any]) -> str:
    return str(post["data"]["heimdall"]["webchat"]["sessionuuid"])
