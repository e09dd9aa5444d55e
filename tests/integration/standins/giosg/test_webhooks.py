"""What webhooks tell, and each knob of their delivery: specs/giosg.md sections 4 and 10."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.integration.standins.giosg.conftest import Endpoint, Visitor
from tests.standins.giosg_control import ORGANIZATION_ID, ROOM_ID, Giosg

CHATS = f"/api/v5/orgs/{ORGANIZATION_ID}/owned_chats"


async def talk(giosg: Giosg, visitor: Visitor) -> str:
    """A chat that waits for an agent, and everything about that is told."""
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    await giosg.settle()
    return chat_id


async def test_a_new_chat_and_its_messages_are_told_whole(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    told_of = [(one["action"], one["channel"]) for one in endpoint.received]
    assert told_of[0] == ("added", CHATS)
    both = [("added", f"{CHATS}/{chat_id}/messages"), ("changed", CHATS)]
    assert sorted(told_of[1:]) == both  # each goes on a way of its own, so either may come first
    assert sorted(endpoint.paths) == ["/chats?secret=s", "/chats?secret=s", "/messages?secret=s"]
    chat = (await visitor.organization("GET", f"/owned_chats/{chat_id}")).json()
    told = endpoint.of("added", "/owned_chats")[0]
    assert (told["resource_id"], set(told["resource"])) == (chat_id, set(chat))
    message = endpoint.of("added", "/messages")[0]
    found = await visitor.organization("GET", f"/owned_chats/{chat_id}/messages/{message['resource_id']}")
    assert message["resource"] == found.json()


async def test_a_change_is_told_with_the_id_and_what_changed(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    told = endpoint.of("changed")[0]["resource"]
    assert told == {
        "id": chat_id,
        "is_waiting": True,
        "is_pending": True,
        "message_count": 1,
        "visitor_message_count": 1,
        "has_messages": True,
        "has_visitor_messages": True,
        "legacy_conversation_state": "waiting",
        **{key: told[key] for key in ("updated_at", "waiting_started_at")},
    }
    await giosg.end(chat_id)
    ended = endpoint.of("changed")[-1]["resource"]
    assert set(ended) == {
        *("id", "is_ended", "ended_at", "updated_at", "is_waiting", "is_pending", "duration"),
        "legacy_conversation_state",
    }


async def test_a_change_may_be_told_with_fewer_members(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(changed_keys=["is_ended"])
    await giosg.end(chat_id)
    assert endpoint.of("changed")[-1]["resource"] == {"id": chat_id, "is_ended": True}


@pytest.mark.parametrize(("knob", "expected"), [("absent", "no key"), ("null", None), ("empty", {})])
async def test_what_is_removed_is_told_without_a_resource(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint, knob: str, expected: object
) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(removed_resource=knob)
    message_id = (await giosg.chat(chat_id)).messages[0]["id"]
    await giosg.remove_message(chat_id, message_id)
    await giosg.remove(chat_id)
    removed = endpoint.of("removed")
    assert [one["resource_id"] for one in removed] == [message_id, chat_id]
    assert [one.get("resource", "no key") for one in removed] == [expected] * 2


async def test_an_edit_is_told(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    message_id = (await giosg.say(chat_id, "Helo"))["id"]
    await giosg.edit_message(chat_id, message_id, "Hello")
    assert endpoint.of("changed", "/messages")[0]["resource"] == {"id": message_id, "message": "Hello"}


async def test_typing_and_rooms_are_told_to_those_who_subscribe(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    channels = ["owned_chats/*/memberships", "rooms"]
    url = {"url": f"{endpoint.url}/all"}
    await giosg.webhooks(
        subscriptions=[{"channel": f"/api/v5/orgs/{{organization_id}}/{one}", **url} for one in channels]
    )
    chat_id = await talk(giosg, visitor)
    await giosg.join(chat_id)
    await giosg.type(chat_id)
    assert endpoint.of("changed", "/memberships")[0]["resource"]["composing_status"] == "composing"
    await giosg.room("closed")
    told = endpoint.of("changed", "/rooms")[0]
    assert (told["resource_id"], told["resource"]["is_online"]) == (ROOM_ID, False)


async def test_a_subscription_leaves_actions_and_other_organizations_out(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    await giosg.webhooks(
        subscriptions=[
            {"channel": "/api/v5/orgs/{organization_id}/owned_chats", "url": f"{endpoint.url}/a", "changed": False},
            {"channel": "/api/v5/orgs/another/owned_chats", "url": f"{endpoint.url}/b"},
        ]
    )
    await talk(giosg, visitor)
    assert endpoint.paths == ["/a"]


async def test_nothing_is_told_before_the_app_is_installed(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    await giosg.webhooks(installed=False)
    await talk(giosg, visitor)
    assert endpoint.received == []


async def test_a_bot_users_token_comes_with_each_if_there_is_one(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    await giosg.webhooks(app_user_auth=True)
    await talk(giosg, visitor)
    assert [one["app_user_auth"]["token_type"] for one in endpoint.received] == ["Bearer"] * 3


async def test_the_echo_may_come_before_the_answer_or_after_it(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint, eventually: Eventually
) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(echo="before")
    sent = (await visitor.say(chat_id, "Before")).json()
    assert sent["id"] in [one["resource_id"] for one in endpoint.received]
    await giosg.webhooks(echo="after", echo_after_ms=300)
    sent = (await visitor.say(chat_id, "After")).json()
    assert sent["id"] not in [one["resource_id"] for one in endpoint.received]
    await eventually(lambda: sent["id"] in [one["resource_id"] for one in endpoint.received])


async def test_webhooks_come_late_and_more_than_once(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(delay_ms=200, copies=3)
    began_s = time.monotonic()
    said = await giosg.say(chat_id, "Hi", join=False)
    assert time.monotonic() - began_s >= 0.2
    assert [one["resource_id"] for one in endpoint.of("added", "/messages")].count(said["id"]) == 3


async def test_webhooks_of_a_window_come_last_first(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(reorder_window_ms=300)
    said = [(await giosg.say(chat_id, str(number), join=False, wait=False))["id"] for number in range(3)]
    await giosg.settle()
    assert [one["resource_id"] for one in endpoint.of("added", "/messages")][1:] == said[::-1]


async def test_a_part_of_the_webhooks_is_lost_the_same_one_in_each_run(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(drop_rate=0.5)
    for number in range(10):
        await giosg.say(chat_id, str(number), join=False)
    assert len(endpoint.of("added", "/messages")) == 6  # the visitor's, and five of ten
    assert [one.error for one in await giosg.deliveries()].count("dropped") == 10


async def test_a_bad_answer_is_tried_again_only_where_a_test_says_so(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    endpoint.statuses = [503]
    await giosg.tag(chat_id, "once")
    assert 503 in [one.status for one in await giosg.deliveries()]
    await giosg.webhooks(subscriptions=[{"channel": f"{CHATS}/*/messages", "url": f"{endpoint.url}/messages"}])
    await giosg.webhooks(retry_schedule_ms=[10, 20])
    endpoint.statuses = [500, 503]
    before = len(await giosg.deliveries())
    await giosg.tag(chat_id, "again")
    tried = await giosg.deliveries(since=before)
    assert [(one.attempt, one.status) for one in tried] == [(1, 500), (2, 503), (3, 200)]
    assert tried[-1].answer == "{}"


async def test_a_subscription_may_be_switched_off_after_bad_answers(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(subscriptions=[{"channel": f"{CHATS}/*/messages", "url": f"{endpoint.url}/messages"}])
    await giosg.webhooks(disable_after=2)
    endpoint.statuses = [500, 500]
    before = len(await giosg.deliveries())
    for number in range(3):
        await giosg.tag(chat_id, str(number))
    told = await giosg.deliveries(since=before)
    assert [(one.status, one.error) for one in told] == [(500, None), (500, None), (None, "disabled")]


async def test_endpoints_cannot_be_reached_or_do_not_answer_in_time(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    seen = len(endpoint.received)
    await giosg.webhooks(refused=True)
    await giosg.tag(chat_id, "refused")
    assert (await giosg.deliveries())[-1].error == "ConnectError"
    assert len(endpoint.received) == seen
    await giosg.webhooks(refused=False, timeout_ms=100)
    endpoint.delay_s = 1
    await giosg.tag(chat_id, "slow")
    assert (await giosg.deliveries())[-1].error == "timeout"


async def test_giosg_sends_and_reads_slowly(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(slow_body_ms=200, slow_reader_ms=200)
    await giosg.tag(chat_id, "slow")
    last = (await giosg.deliveries())[-1]
    assert last.status == 200
    assert last.ms is not None
    assert last.ms >= 400


async def test_webhooks_of_a_subscription_may_come_one_after_another(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    chat_id = await talk(giosg, visitor)
    await giosg.webhooks(in_order=True)
    endpoint.delay_s = 0.05
    said = await asyncio.gather(*(giosg.say(chat_id, str(number), join=False) for number in range(5)))
    texts = [one["resource"]["message"] for one in endpoint.of("added", "/messages")][1:]
    by_time = sorted(said, key=lambda one: one["created_at"])
    assert texts == [one["message"] for one in by_time]


async def test_a_delivery_is_recorded_with_what_was_sent(giosg: Giosg, visitor: Visitor, endpoint: Endpoint) -> None:
    chat_id = await talk(giosg, visitor)
    first = (await giosg.deliveries())[0]
    assert (first.channel, first.action, first.resource_id) == (CHATS, "added", chat_id)
    assert (first.attempt, first.status, first.answer, first.error) == (1, 200, "{}", None)
    assert first.body == endpoint.received[0]


@pytest.mark.parametrize("resource", [{}, {"resource": None}, {"resource": {"tag_count": 2}}])
async def test_a_webhook_may_be_forged(giosg: Giosg, endpoint: Endpoint, resource: dict[str, Any]) -> None:
    await giosg.webhook(CHATS, "changed", "some-chat", **resource)
    forged = endpoint.received[0]
    assert {key: forged[key] for key in forged if key != "resource"} == {
        "channel": CHATS,
        "action": "changed",
        "resource_id": "some-chat",
    }
    assert ("resource" in forged, forged.get("resource")) == ("resource" in resource, resource.get("resource"))


async def test_a_foreign_chat_is_told_as_any_other(giosg: Giosg, endpoint: Endpoint) -> None:
    foreign = await giosg.foreign_chat()
    assert {one["resource_id"] for one in endpoint.of("added", "/owned_chats")} == {foreign.id}
    assert len(endpoint.of("added", "/messages")) == 1
