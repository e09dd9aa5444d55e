"""The routing order on a channel that has threads and routes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, SessionId
from broker.domain.subjects import ChatPath, Conversation, Kind
from tests.integration.routing.conftest import Chat


async def posts(chat: Chat, conversation: Conversation, text: str, **said: str) -> None:
    """Somebody posts in a Slack channel: the route is that channel, the parent who wrote what it replies to."""
    content: dict[str, Any] = {"sessionuuid": conversation.session, "slack_message": {"type": "text", "value": text}}
    headers = {names.MESSAGE_ID: str(uuid4()), **said}
    await chat.publisher.store(conversation.subject(Kind.MESSAGE), encode({"heimdall": {"slack": content}}), headers)
    await chat.settled()


@pytest.mark.check(42)
async def test_check_42_a_reply_beats_the_link_the_link_beats_the_map_and_the_map_has_a_catch_all(chat: Chat) -> None:
    routes = {"sales": "svc.M", "__catch_all": "svc.Z"}
    profile = {"name": "shop", "branch": "draft", "channel": "slack", "routes": routes}
    assert (await chat.command("profilecreate", profile))["routes"] == routes
    path = ChatPath(ChannelName("slack"), chat.org, chat.path.chat)
    conversation = path.conversation(SessionId(str(uuid4())))
    route = {names.ROUTE: "sales"}
    await posts(chat, conversation, "mapped", **route)
    await posts(chat, conversation, "caught", **{names.ROUTE: "support"})
    task = {"operation": "set", "sessionuuid": conversation.session}
    await chat.command("linkset", {"params": {"platform": "slack", "slack": task}}, stub="svc.A")
    await posts(chat, conversation, "fresh", **route)
    await posts(chat, conversation, "in the thread", **route, **{names.PARENT: "svc.B"})
    await posts(chat, conversation, "fresh again", **route)
    runs = await chat.expect_runs(5)
    found = {post["message"]: stub for stub, _, post in runs}
    assert found == {
        "mapped": "svc.M",
        "caught": "svc.Z",
        "fresh": "svc.A",
        "in the thread": "svc.B",
        "fresh again": "svc.A",
    }
    assert {action for _, action, _ in runs} == {"_update_from_slack"}


async def test_a_profile_of_another_channel_takes_nothing(chat: Chat) -> None:
    await chat.command("profilecreate", {"name": "shop", "branch": "draft", "channel": "slack", "stub": "svc.P"})
    conversation = chat.conversation()
    await chat.say(conversation, "hi")
    await chat.expect_dead("unrouted")


async def test_a_parent_that_is_no_stub_is_set_aside_with_the_reason(chat: Chat) -> None:
    conversation = chat.conversation()
    body = chat.visitor_body(conversation, webchat_message={"type": "text", "value": "hi"})
    await chat.publish(conversation.subject(Kind.MESSAGE), {**body, "parent": "no stub"})
    letter = await chat.expect_dead("invalid_body")
    assert "parent" in letter["detail"]
