"""Who owns a conversation, and until when."""

from __future__ import annotations

import asyncio

import pytest

from broker.domain.subjects import Kind
from tests.conftest import poll
from tests.integration.routing.conftest import Chat

SHORT_HOURS = 0.0004
"""1.44 seconds."""


@pytest.mark.check(15)
async def test_check_15_a_linked_stub_gets_the_text_as_update_from_webchat(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    await chat.say(conversation, "hi there")
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action, post["message"]) == ("svc.B", "_update_from_webchat", "hi there")
    assert post["data"]["_incoming_webchat_data"]["sessionuuid"] == conversation.session


@pytest.mark.check(16)
async def test_check_16_with_a_link_no_registration_and_no_profile_stub_runs(chat: Chat) -> None:
    conversation = chat.conversation()
    reply = await chat.command("profilecreate", {"name": "shop", "branch": "draft", "stub": "svc.P"})
    assert reply["chat_name"] == "draftshop"
    for kind in ("firstmessage", "message"):
        await chat.register(f"{chat.path.prefix}.webchatmessagetype.{kind}", stub="svc.A", action=kind)
    await chat.link_after_open(conversation, "svc.B")
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"


@pytest.mark.check(17)
async def test_check_17_a_notification_without_a_stubsession_leaves_routing_as_it_was(chat: Chat) -> None:
    linked, unlinked = chat.conversation(), chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="first")
    await chat.link_after_open(linked, "svc.B")
    await chat.open(unlinked)
    await chat.settled()
    for conversation in (linked, unlinked):
        await chat.notify(conversation, "svc.C", webchat_message={"type": "text", "value": "hello"})
        await chat.say(conversation, "hi")
        await chat.settled()
    runs = await chat.expect_runs(2)
    assert [stub for stub, _, _ in runs] == ["svc.B", "svc.A"]


async def test_check_18_and_19_a_set_writes_the_whole_link_with_its_feedback_action(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    await chat.link(conversation, "svc.B", action="answer")
    await chat.say(conversation, "one")
    await chat.link(conversation, "svc.B")
    await chat.say(conversation, "two")
    runs = await chat.expect_runs(2)
    assert [action for _, action, _ in runs] == ["answer", "_update_from_webchat"]


@pytest.mark.check(20)
async def test_check_20_a_second_stub_takes_over_and_the_first_ones_list_is_empty(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.A")
    await chat.link(conversation, "svc.B")
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"
    assert (await chat.command("links", {"stub": "svc.A"}))["links"] == []
    [link] = (await chat.command("links", {"stub": "svc.B"}))["links"]
    assert link["sessionuuid"] == conversation.session
    facts = await chat.facts(conversation, Kind.LINKED)
    assert facts[-1]["replaces"] == "svc.A"


@pytest.mark.check(21)
@pytest.mark.check(24)
async def test_check_21_and_24_a_link_ends_at_its_deadline_and_the_next_message_is_a_first_one(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    await chat.open(conversation)
    await chat.settled()
    await chat.say(conversation, "first")
    await chat.link(conversation, "svc.B", hours=SHORT_HOURS)
    await chat.say(conversation, "in time")

    async def expired() -> bool:
        return bool(await chat.facts(conversation, Kind.EXPIRED))

    await poll(expired)
    [timeout] = await chat.facts(conversation, Kind.TIMEOUT)
    [fact] = await chat.facts(conversation, Kind.EXPIRED)
    assert fact["epoch"] == timeout["epoch"]
    await chat.say(conversation, "too late")
    runs = await chat.expect_runs(3)
    assert [(stub, action) for stub, action, _ in runs] == [
        ("svc.A", "create_stub"),
        ("svc.B", "_update_from_webchat"),
        ("svc.A", "create_stub"),
    ]
    assert (await chat.command("links", {}))["links"] == []


@pytest.mark.check(22)
async def test_check_22_messages_do_not_extend_a_link(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B", hours=SHORT_HOURS)
    [linked] = await chat.facts(conversation, Kind.LINKED)
    for number in range(3):
        await chat.say(conversation, str(number))

    async def expired() -> bool:
        return bool(await chat.facts(conversation, Kind.EXPIRED))

    await poll(expired)
    [fact] = await chat.facts(conversation, Kind.EXPIRED)
    assert fact["expires_at_ms"] == linked["expires_at_ms"]


@pytest.mark.check(23)
async def test_check_23_a_set_moves_the_deadline_and_the_older_timer_changes_nothing(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B", hours=SHORT_HOURS)
    await chat.link(conversation, "svc.B", hours=SHORT_HOURS * 2.5)
    await asyncio.sleep(SHORT_HOURS * 3600 + 0.6)
    await chat.say(conversation, "still yours")
    await chat.expect_runs(1)
    assert await chat.facts(conversation, Kind.EXPIRED) == []

    async def expired() -> bool:
        return bool(await chat.facts(conversation, Kind.EXPIRED))

    await poll(expired)
    [fact] = await chat.facts(conversation, Kind.EXPIRED)
    assert fact["epoch"] == (await chat.facts(conversation, Kind.LINKED))[-1]["epoch"]


@pytest.mark.check(25)
async def test_check_25_a_profiles_stub_gets_what_no_link_takes_and_no_registration_runs(chat: Chat) -> None:
    profile = await chat.command("profilecreate", {"name": "shop", "branch": "draft", "stub": "svc.P"})
    await chat.register(f"{chat.path.prefix}.*", stub="svc.A", action="everything")
    conversation = chat.conversation()
    await chat.say(conversation, "hi")
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.P", "_update_from_webchat")
    assert post["data"]["_incoming_webchat_data"]["webchat_message"]["value"] == "hi"
    configuration = post["data"]["_incoming_webchat_data"]["webchat_configuration"]
    assert configuration["profile_uuid"] == profile["profile_uuid"]


@pytest.mark.check(26)
async def test_check_26_a_stub_set_on_draft_is_not_run_for_a_live_visitor(chat: Chat) -> None:
    await chat.command("profilecreate", {"name": "shop", "branch": "draft", "stub": "svc.P"})
    await chat.command("profilecreate", {"name": "shop", "branch": "live"})
    live = Chat(chat.connection, chat.publisher, chat.org, chat_name="liveshop")
    await live.say(live.conversation(), "hi")
    await live.expect_dead("unrouted")
    assert await chat.runs() == []


@pytest.mark.check(29)
async def test_check_29_an_instant_answer_to_the_first_linked_notification_reaches_its_stub(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    await chat.notify(
        conversation,
        "svc.B",
        webchat_message={"type": "text", "value": "question?"},
        stubsession={"set_new_with_timeout_hours": 24},
    )
    await chat.say(conversation, "instant answer")
    [(stub, _, post)] = await chat.expect_runs(1)
    assert (stub, post["message"]) == ("svc.B", "instant answer")


@pytest.mark.check(37)
async def test_check_37_a_control_event_with_a_stubsession_sets_the_link(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    await chat.notify(conversation, "svc.B", webchat_control_event={"page": "tvs"}, stubsession={})
    await chat.say(conversation, "hi")
    [(stub, _, _)] = await chat.expect_runs(1)
    assert stub == "svc.B"
    [fact] = await chat.facts(conversation, Kind.LINKED)
    assert fact["timeout_hours"] == 24


@pytest.mark.parametrize("hours", [0, -1])
async def test_hours_of_zero_or_below_are_kept_as_invalid_and_make_no_link(chat: Chat, hours: float) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    await chat.notify(conversation, "svc.B", stubsession={"set_new_with_timeout_hours": hours})
    letter = await chat.expect_dead("invalid_body")
    assert "set_new_with_timeout_hours" in letter["detail"]
    assert await chat.facts(conversation, Kind.LINKED) == []


async def test_a_link_without_a_sender_is_refused_and_a_stub_field_in_json_will_do(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    subject = conversation.subject(Kind.NOTIFICATION)
    body = {"platforms": {"webchat": {"sessionuuid": conversation.session, "stubsession": {}}}}
    await chat.publish(subject, body)
    await chat.expect_dead("no_sender")
    await chat.publish(subject, {**body, "stub": "svc.B"})
    await chat.settled()
    [fact] = await chat.facts(conversation, Kind.LINKED)
    assert fact["stub"] == "svc.B"


async def test_a_deleted_link_is_announced_once_and_the_next_message_is_a_first_one(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="create_stub")
    await chat.link_after_open(conversation, "svc.B")
    params = {"platform": "webchat", "webchat": {"operation": "delete", "sessionuuid": conversation.session}}
    for _ in range(2):
        reply = await chat.command("linkdelete", {"tasktype": "manage_stubsession", "params": params})
        assert reply["sequence"] > 0
    await chat.settled()
    [fact] = await chat.facts(conversation, Kind.CANCELLED)
    assert fact["reason"] == "deleted"
    await chat.say(conversation, "hi")
    [(stub, action, _)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.A", "create_stub")


@pytest.mark.parametrize("name", ["Shop", "my shop", "shop!", "a.b", "", "draftshop"])
async def test_check_03_a_bad_chat_name_is_refused_with_a_reason(chat: Chat, name: str) -> None:
    reply = await chat.command("profilecreate", {"name": name, "branch": "draft"})
    assert reply["error"]["code"] in {"bad_name", "invalid_body"}
    assert "name" in reply["error"]["message"]


@pytest.mark.check(4)
async def test_check_04_a_name_is_unique_per_org_and_branch(chat: Chat, org: str) -> None:
    assert "error" not in await chat.command("profilecreate", {"name": "shop", "branch": "draft"})
    again = await chat.command("profilecreate", {"name": "shop", "branch": "draft"})
    assert again["error"]["code"] == "name_taken"
    assert "error" not in await chat.command("profilecreate", {"name": "shop", "branch": "live"})
    other = "00000000-0000-4000-8000-" + org[-12:]
    assert "error" not in await chat.command("profilecreate", {"name": "shop", "branch": "draft"}, org=other)
