"""What a webhook may say, where it may say it, and under which id it is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from broker.errors import CallRefusedError
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.verifying import (
    CHANGED_AGAIN_MS,
    KINDS,
    MESSAGE_ID_CHARACTERS_MAX,
    SIGNALLED_AGAIN_MS,
    Verified,
    WebhookKind,
    message_id,
    verify,
)

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
ORGANIZATION = "0a6a1b1c-5a1c-4b6e-9d53-6f0f5f6d2a01"
ROOM = "1b7b2c2d-6b2d-4c7f-8e64-7a1a6a7e3b02"
CHATS = f"/api/v5/orgs/{ORGANIZATION}/owned_chats"
NOW_MS = 10 * CHANGED_AGAIN_MS
CHANNELS: dict[WebhookKind, str] = {
    "chats": CHATS,
    "messages": f"{CHATS}/c1/messages",
    "memberships": f"{CHATS}/c1/memberships",
    "rooms": f"/api/v5/orgs/{ORGANIZATION}/rooms",
}


def a_connection(name: str = "support") -> GiosgConnection:
    return GiosgConnection(
        name=name,
        org=ORG,
        organization_id=ORGANIZATION,
        room_id=ROOM,
        api_token=SecretStr("a-token"),
        webhook_secret=SecretStr("a-secret-of-twenty-four-characters"),
        webhook_public_url="https://heimdall.example.org",
    )


def told(kind: WebhookKind = "messages", *, connection: GiosgConnection | None = None, **changes: Any) -> Verified:
    body = {"channel": CHANNELS[kind], "action": "added", "resource_id": "m1", "resource": {"id": "m1"}, **changes}
    return verify(connection or a_connection(), kind, json.dumps(body).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_taken_at_its_own_channel_alone(kind: WebhookKind) -> None:
    for other in KINDS:
        if other == kind:
            assert told(kind, resource_id=ROOM, resource=None).passed is None
        else:
            with pytest.raises(CallRefusedError, match="alone"):
                told(kind, channel=CHANNELS[other])


@pytest.mark.parametrize(
    ("kind", "chat_id"),
    [
        pytest.param("chats", "m1", id="a chat is the resource"),
        pytest.param("messages", "c1", id="a message's is in the channel"),
        pytest.param("memberships", "c1", id="a membership's too"),
    ],
)
def test_the_chat_is_known_even_where_nothing_else_is_told(kind: WebhookKind, chat_id: str) -> None:
    assert told(kind, action="removed", resource=None).chat_id == chat_id


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        pytest.param({"channel": CHANNELS["messages"].replace("0a6a", "ffff")}, "foreign_org", id="another org"),
        pytest.param({"channel": CHANNELS["messages"].replace("0a6a", "0A6A")}, None, id="our org in upper case"),
        pytest.param({"resource": {"id": "m1", "room_id": "other"}}, "foreign_room", id="another room"),
        pytest.param({"resource": {"id": "m1", "room_id": 7}}, "foreign_room", id="a room that is none"),
        pytest.param({"resource": {"id": "m1", "room_id": ROOM}}, None, id="our room"),
        pytest.param({"resource": {"id": "m1", "room_id": None}}, None, id="no room"),
        pytest.param({"action": "merged"}, "unknown_action", id="an action to come"),
        pytest.param({"action": "removed", "resource": {}}, None, id="gone, with an empty resource"),
        pytest.param({"channel": CHANNELS["messages"] + "/"}, None, id="a slash at the end"),
    ],
)
def test_what_is_not_about_us_is_passed(changes: dict[str, Any], passed: str | None) -> None:
    assert told(**changes).passed == passed


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"resource_id": None}, "invalid_body", id="no resource_id"),
        pytest.param({"resource_id": 5}, "invalid_body", id="a number for an id"),
        pytest.param({"resource_id": "a.>"}, "invalid_body", id="an id with a wildcard"),
        pytest.param({"resource_id": "a" * 257}, "invalid_body", id="an id too long"),
        pytest.param({"resource_id": "m1\n"}, "invalid_body", id="an id with a line end"),
        pytest.param({"action": ""}, "invalid_body", id="no action"),
        pytest.param({"action": ["added"]}, "invalid_body", id="a list for an action"),
        pytest.param({"resource": [1]}, "invalid_body", id="a list for a resource"),
        pytest.param({"channel": 1}, "invalid_body", id="a number for a channel"),
        pytest.param({"channel": f"{CHATS}/a.>/messages"}, "channel_mismatch", id="a chat with a wildcard"),
        pytest.param({"channel": f"{CHATS}/a/b/messages"}, "channel_mismatch", id="a level more"),
        pytest.param({"channel": CHANNELS["messages"] + "?a=b"}, "channel_mismatch", id="a query"),
        pytest.param({"channel": CHANNELS["messages"] + "\n"}, "channel_mismatch", id="a line end"),
        pytest.param({"resource": {"id": "m2"}}, "ids_differ", id="another id inside"),
        pytest.param({"resource": {"id": "m1", "chat_id": "c2"}}, "ids_differ", id="another chat inside"),
    ],
)
def test_what_giosg_does_not_send_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CallRefusedError) as refused:
        told(**changes)
    assert refused.value.code == code


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CallRefusedError):
        verify(a_connection(), "chats", data)


def test_what_is_stored_is_what_was_said_without_tokens() -> None:
    found = told(
        "chats",
        resource_id="c1",
        resource={"id": "c1", "is_waiting": None, "token": "planted-chat", "half": "\ud83d"},
        app_user_auth={"access_token": "planted-bot"},
        more="planted-more",
    ).content
    assert found["resource"] == {"id": "c1", "is_waiting": None, "half": "\ufffd"}
    assert set(found) == {"channel", "action", "resource_id", "resource"}


def test_the_same_webhook_has_the_same_id_however_it_is_written() -> None:
    connection = a_connection()
    one = told(action="changed", resource={"id": "m1", "message": "a"})
    other = told(action="changed", resource={"message": "a", "id": "m1"})
    assert message_id(connection, one, now_ms=NOW_MS) == message_id(connection, other, now_ms=NOW_MS + 1)


@pytest.mark.parametrize(
    ("other", "later_ms"),
    [
        pytest.param({"resource_id": "m2", "resource": None}, 0, id="another message"),
        pytest.param({"action": "added"}, 0, id="another action"),
        pytest.param({"resource": {"id": "m1", "message": "b"}}, 0, id="another change"),
        pytest.param({}, CHANGED_AGAIN_MS, id="the same change long after"),
        pytest.param({"kind": "memberships"}, 0, id="another kind"),
        pytest.param({"connection": a_connection("sales")}, 0, id="another connection of the same organization"),
    ],
)
def test_what_differs_has_an_id_of_its_own(other: dict[str, Any], later_ms: int) -> None:
    connection = a_connection()
    one = message_id(connection, told(action="changed"), now_ms=NOW_MS)
    found = told(**{"action": "changed", **other})
    assert message_id(other.get("connection", connection), found, now_ms=NOW_MS + later_ms) != one


def test_an_added_message_is_the_same_one_a_day_later() -> None:
    connection, message = a_connection(), told()
    assert message_id(connection, message, now_ms=0) == message_id(connection, message, now_ms=86_000_000)


def test_who_writes_and_writes_again_is_seen_twice_and_in_each_chat() -> None:
    connection = a_connection()
    begun = told("memberships", action="changed", resource={"composing_status": "composing"})
    elsewhere = told("memberships", action="changed", channel=CHANNELS["memberships"].replace("c1", "c2"))
    ids = {
        message_id(connection, begun, now_ms=NOW_MS),
        message_id(connection, begun, now_ms=NOW_MS + SIGNALLED_AGAIN_MS),
        message_id(connection, elsewhere, now_ms=NOW_MS),
    }
    assert len(ids) == 3


def test_an_id_is_never_longer_than_the_bus_takes_it() -> None:
    connection = a_connection("a" * 63)
    ids = [message_id(connection, told(resource_id=f"{n}" * 256, resource=None), now_ms=0) for n in (1, 2)]
    assert len(set(ids)) == 2
    assert max(map(len, ids)) <= MESSAGE_ID_CHARACTERS_MAX
