"""What goes on while a connection is ill, and how that shows: error scenarios 7.7, 7.13 and 7.18, and check 32."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from broker.codec import encode
from broker.domain.subjects import ChannelCommandSubject
from broker.runtime.embedded import EmbeddedServer
from broker.transport.commands import request_command
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.conftest import CONNECTION, SECRET, Desk, running_desk
from tests.integration.giosg.talking import Talk, begin
from tests.standins.giosg_control import Giosg
from tests.standins.webim_control import NO_TLS
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case, Starting
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.file import load_connections
from workers.giosg.watching.commands import GIOSG

RECONCILE_S = 15
"""The least that may be set."""


@pytest.fixture
def changes() -> dict[str, Any]:
    """Of the connection's settings."""
    return {"max_retries": 0}


@pytest_asyncio.fixture
async def unheard(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path, changes: dict[str, Any]
) -> AsyncIterator[Desk]:
    """A worker that giosg sends no webhooks to; it expects them within a second."""
    async with running_desk(server.url, org, giosg, tmp_path, worker={"echo_wait_s": 1.0}, **changes) as desk:
        yield desk


async def health_of(desk: Desk) -> dict[str, Any]:
    """The connection in the answer of GET /giosg/health."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"http://127.0.0.1:{desk.port}/giosg/health")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["connections"][CONNECTION]
    return found


async def reasons_of(desk: Desk) -> list[str]:
    """Why the connection is ill."""
    return [reason["code"] for reason in (await health_of(desk))["reasons"]]


async def is_as(desk: Desk, *codes: str) -> bool:
    """Whether these are the reasons."""
    return await reasons_of(desk) == list(codes)


@pytest.mark.parametrize("changes", [{"reconcile_seconds": RECONCILE_S}])
async def test_check_32_without_webhooks_the_answer_comes_by_reconciliation_and_health_says_so(
    unheard: Desk, giosg: Giosg
) -> None:
    talk = await begin(unheard)
    await giosg.join(talk.chat_id)
    said_s = asyncio.get_running_loop().time()
    await giosg.say(talk.chat_id, "Good day")
    await poll(lambda: has_heard(talk, "Good day"), within_s=RECONCILE_S + 2)
    assert asyncio.get_running_loop().time() - said_s <= (RECONCILE_S + 2) * TIME_FACTOR
    assert await giosg.deliveries() == []
    health = await health_of(unheard)
    assert health["status"] == "degraded"
    assert [reason["code"] for reason in health["reasons"]] == ["no_webhooks"]


async def test_7_13_a_stale_webhook_address_degrades_the_connection_until_it_is_mended(
    unheard: Desk, giosg: Giosg
) -> None:
    await giosg.subscribe(f"{unheard.url}/moved", query=f"?secret={SECRET}")
    talk = await begin(unheard)
    await poll(lambda: is_as(unheard, "no_webhooks"))
    assert (await health_of(unheard))["expected_webhooks"] == [
        f"{unheard.url}/{kind}?secret=…" for kind in ("chats", "messages")
    ]
    await unheard.subscribe()
    await unheard.say(talk.conversation, "Still there?")
    await poll(lambda: is_as(unheard))


async def test_7_7_without_its_api_token_texts_still_go_both_ways(unheard: Desk, giosg: Giosg) -> None:
    await unheard.subscribe()
    talk = await begin(unheard)
    await giosg.api_tokens("another-token")
    assert await available(unheard) is None
    await poll(lambda: is_as(unheard, "token_refused"))
    await unheard.say(talk.conversation, "Is anybody there?")
    await giosg.join(talk.chat_id)
    await giosg.say(talk.chat_id, "I am")
    await talk.until_heard("I am")
    assert (await giosg.chat(talk.chat_id)).texts("visitor") == ["Hello", "Is anybody there?"]
    await giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    assert (await health_of(unheard))["status"] == "degraded"


async def test_7_18_an_opening_that_nobody_finished_is_resolved_when_the_visitor_writes(
    unheard: Desk, giosg: Giosg, tmp_path: Path
) -> None:
    conversation = await unheard.open()
    connections = load_connections(tmp_path / "giosg.toml", {})
    async with Apis(connections, unheard.cases) as apis:
        visitor = apis.of(CONNECTION).as_visitor("webchat-v1")
        await visitor.identity()
        await visitor.enter_room()
        chat = await visitor.create_chat()
    begun = Case(
        org=unheard.org,
        connection=CONNECTION,
        conversation=conversation.prefix,
        session=conversation.session,
        visitor_key="webchat-v1",
        stage="starting",
        starting=Starting(cause=1, since_ms=now_ms() - 61_000, asked=True),
    )
    await unheard.cases.save(begun, revision=0)
    await unheard.hand_over(conversation)
    await unheard.say(conversation, "Hello")
    await poll(lambda: has_arrived(giosg, "Hello"), within_s=15)
    assert [each.id for each in await giosg.chats()] == [chat.id]


async def available(desk: Desk) -> bool | None:
    """What a program is told that asks whether agents are there."""
    subject = ChannelCommandSubject(desk.org, GIOSG, "availability")
    reply = await request_command(desk.backbone.connection, subject, encode({"connection": CONNECTION}))
    found: bool | None = reply["available"]
    return found


async def has_heard(talk: Talk, *texts: str) -> bool:
    """Whether the visitor has exactly these texts of agents."""
    return await talk.desk.heard(talk.conversation) == list(texts)


async def has_arrived(giosg: Giosg, text: str) -> bool:
    """Whether giosg has the visitor's text."""
    return any(text in chat.texts("visitor") for chat in await giosg.chats())
