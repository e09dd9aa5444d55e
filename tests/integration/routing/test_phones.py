"""Conversations with phone numbers: kept by number and profile, and begun by either side."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from broker.domain.ids import ChannelName, ChatName
from broker.domain.phones import phone_session
from broker.domain.subjects import ChatPath, Conversation, Kind
from tests.conftest import poll
from tests.integration.routing.conftest import Chat

NUMBER = "27820000000"
PROFILE = "stubber_public"
Body = dict[str, Any]


def conversation_of(chat: Chat, number: str = NUMBER, profile: str = PROFILE) -> Conversation:
    path = ChatPath(ChannelName("whatsapp"), chat.org, ChatName(profile))
    return path.conversation(phone_session(path, number))


def task(operation: str, number: str | int = f"+{NUMBER}", profile: str = PROFILE, **members: object) -> Body:
    content = {"operation": operation, "mobile_number": number, "whatsapp_profile_name": profile, **members}
    return {"tasktype": "manage_stubsession", "params": {"platform": "whatsapp", "whatsapp": content}}


async def writes(chat: Chat, text: str, number: str = NUMBER, profile: str = PROFILE) -> None:
    """Somebody writes from that number, as the documented body has it."""
    body = {
        "message": text,
        "from": number,
        "from_name": "Ann",
        "to": "27110000000",
        "whatsapp_profile_name": profile,
        "whatsapp_body": {"from": number, "id": "wamid.1", "type": "text", "text": {"body": text}},
    }
    conversation = conversation_of(chat, number, profile)
    await chat.publish(conversation.subject(Kind.MESSAGE), {"heimdall": {"whatsapp": body}})


@pytest.mark.check(34)
async def test_check_34_a_link_set_for_a_number_is_found_on_its_profile_and_on_no_other(chat: Chat) -> None:
    reply = await chat.command("linkset", task("set"), stub="svc.B")
    assert reply["sessionuuid"] == conversation_of(chat).session
    await writes(chat, "hello")
    await writes(chat, "elsewhere", profile="another_profile")
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action, post["message"]) == ("svc.B", "_update_from_whatsapp", "hello")
    incoming = post["data"]["_incoming_whatsapp_data"]
    assert incoming["from"] == NUMBER
    assert incoming["whatsapp_body"]["text"] == {"body": "hello"}
    await chat.expect_dead("unrouted")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(f"+{NUMBER}", id="with its plus"),
        pytest.param(NUMBER, id="without"),
        pytest.param(int(NUMBER), id="as a number"),
        pytest.param("+27 82 000-0000", id="as people write it"),
    ],
)
async def test_every_spelling_of_a_number_is_the_same_conversation(chat: Chat, number: str | int) -> None:
    reply = await chat.command("linkset", task("set", number), stub="svc.B")
    assert reply["sessionuuid"] == conversation_of(chat).session


async def test_a_number_without_its_country_is_refused_since_it_would_never_match(chat: Chat) -> None:
    reply = await chat.command("linkset", task("set", "0820000000"), stub="svc.B")
    assert reply["error"]["code"] == "invalid_body"
    assert "mobile_number" in reply["error"]["message"]
    assert "0820000000" not in reply["error"]["message"]


async def test_a_number_is_linked_by_an_event_and_unlinked_by_a_command(chat: Chat) -> None:
    conversation = conversation_of(chat)
    await chat.publish(conversation.subject(Kind.SET), task("set", set_feedback_action="answer"), stub="svc.B")
    await writes(chat, "one")
    [(stub, action, _)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.B", "answer")
    await chat.command("linkdelete", task("delete"))
    await chat.settled()
    [fact] = await chat.facts(conversation, Kind.CANCELLED)
    assert fact["reason"] == "deleted"


async def test_a_task_for_another_number_than_its_subjects_is_set_aside(chat: Chat) -> None:
    conversation = conversation_of(chat)
    await chat.publish(conversation.subject(Kind.SET), task("set", "27829999999"), stub="svc.B")
    letter = await chat.expect_dead("invalid_body")
    assert "27829999999" not in letter["detail"]


async def test_a_notification_links_a_number_that_never_wrote_and_may_name_the_newer_platform(chat: Chat) -> None:
    content = {
        "mobile_number": f"+{NUMBER}",
        "whatsapp_profile_name": PROFILE,
        "message_type": "template",
        "params": {"name": "welcome"},
        "stubsession": {"set_new_with_timeout_hours": 24},
    }
    reply = await chat.command("notify", {"platforms": {"meta_whatsapp": content}}, stub="svc.B")
    assert "error" not in reply
    await writes(chat, "hello")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"


async def test_a_webchat_session_that_never_began_cannot_be_linked(chat: Chat) -> None:
    unknown = chat.conversation()
    content = {"operation": "set", "sessionuuid": unknown.session}
    body = {"params": {"platform": "webchat", "webchat": content}}
    reply = await chat.command("linkset", body, stub="svc.B")
    assert reply["error"]["code"] == "unknown_session"


async def test_a_number_at_sms_has_its_own_action_and_key(chat: Chat) -> None:
    path = ChatPath(ChannelName("sms"), chat.org, ChatName("shop"))
    content = {"operation": "set", "mobile_number": NUMBER, "sms_profile_name": "shop"}
    await chat.command("linkset", {"params": {"platform": "sms", "sms": content}}, stub="svc.B")
    conversation = path.conversation(phone_session(path, NUMBER))
    await chat.publish(conversation.subject(Kind.MESSAGE), {"heimdall": {"sms": {"from": NUMBER, "message": "hi"}}})
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action, list(post["data"])) == ("svc.B", "_update_from_sms", ["_incoming_sms_data"])


@pytest.mark.check(33)
@pytest.mark.check(35)
async def test_check_35_a_stubs_list_shows_webchat_and_whatsapp_with_their_endpoints_and_falling_time(
    chat: Chat,
) -> None:
    webchat, gone = chat.conversation(), chat.conversation()
    for conversation, hours in ((webchat, 24.0), (gone, 0.0002)):
        await chat.link_after_open(conversation, "svc.B", hours)
    await chat.command("linkset", task("set", set_feedback_action="answer"), stub="svc.B")
    await chat.settled()

    async def expired() -> bool:
        return bool(await chat.facts(gone, Kind.EXPIRED))

    await poll(expired)
    first = (await chat.command("links", {"stub": "svc.B"}))["links"]
    shown = {(link["platform"], link["endpoint"], link["profile"], link["feedback_action"]) for link in first}
    assert shown == {
        ("webchat", webchat.session, None, "_update_from_webchat"),
        ("whatsapp", NUMBER, PROFILE, "answer"),
    }
    again = (await chat.command("links", {"stub": "svc.B"}))["links"]
    for before, after in zip(first, again, strict=True):
        assert 0 < after["ttl_seconds"] < before["ttl_seconds"] < 24 * 3600
        assert after["expires_at"] == before["expires_at"]


async def test_whoever_guessed_a_numbers_session_and_began_it_elsewhere_cannot_keep_it(chat: Chat) -> None:
    guessed = Chat(chat.connection, chat.publisher, str(uuid4())).path.conversation(conversation_of(chat).session)
    content = {"sessionuuid": guessed.session, "webchat_message": {"type": "text", "value": "mine"}}
    await chat.publish(guessed.subject(Kind.MESSAGE), {"heimdall": {"webchat": content}})
    await chat.settled()
    await chat.command("linkset", task("set"), stub="svc.B")
    await writes(chat, "hello")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"
    assert await chat.dead() == []
