"""The endpoint that giosg calls, served on its own: the real web application, the real bus, nothing behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from pydantic import SecretStr

from broker.codec import decode
from broker.domain.subjects import WEBHOOKS
from broker.domain.webhooks import StoredWebhook
from broker.domain.wire import validate
from broker.runtime.serving import Place, serve
from broker.transport.connection import connect
from broker.transport.publisher import open_publisher
from broker.transport.reader import read_range
from broker.transport.topology import WEBHOOK_STREAM
from tests.conftest import poll
from tests.processes import free_port
from tests.standins.giosg.configuration import ORGANIZATION_ID, ROOM_ID
from tests.standins.webim_control import NO_TLS
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.edge import Endpoint, build_app
from workers.giosg.hearing.inbox import Inbox

SECRET = "current-webhook-secret-0123456789"
PREVIOUS = "previous-webhook-secret-0123456789"
CHATS = f"/api/v5/orgs/{ORGANIZATION_ID}/owned_chats"
READ_MAX = 1_000


@dataclass
class Calling:
    """One running endpoint with one connection, ``support``; ``foreign``: chats that are known to be none of ours."""

    url: str
    org: str
    nats_url: str
    foreign: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """Of the connection's addresses, without the last part."""
        return f"{self.url}/giosg/support"

    def address(self, kind: str = "messages", shown: str = SECRET) -> str:
        """What giosg is given."""
        return f"{self.base_url}/{kind}?secret={shown}"

    async def stored(self, outcome: str = "*") -> list[StoredWebhook]:
        """The calls that were kept, oldest first."""
        async with connect(self.nats_url, name="test-reader") as connection:
            pattern = f"p.*.{WEBHOOKS}.org.{self.org}.>"
            found = await read_range(connection, WEBHOOK_STREAM, (pattern,), limit=READ_MAX)
        wanted = [one for one in found if outcome in ("*", one.subject.rpartition(".")[2])]
        return [validate(StoredWebhook, decode(one.data), what="webhook") for one in wanted]

    async def reasons(self, outcome: str = "*") -> list[str]:
        """Why they were answered so."""
        return [one.webhook.reason for one in await self.stored(outcome)]


@contextlib.asynccontextmanager
async def endpoint(nats_url: str, org: str, *, in_hand_max: int = 256, **changes: Any) -> AsyncIterator[Calling]:
    """An endpoint on that server until the end of the block; ``changes`` are the connection's."""
    port = free_port()
    calling = Calling(f"http://127.0.0.1:{port}", org, nats_url)
    connections = Connections([a_connection(org, **changes)])
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(nats_url, name="giosg"))
        publisher = await stack.enter_async_context(open_publisher(connection))
        inbox = Inbox(
            connection,
            publisher,
            is_foreign=lambda _, chat_id: chat_id in calling.foreign,
            webhook_seen=calling.seen.append,
            store_wait_s=1.0,
        )
        await stack.enter_async_context(inbox)
        app = build_app(
            Endpoint(connections, inbox, in_hand_max=in_hand_max),
            health=lambda: {"status": "ok"},
            is_ready=lambda: connection.connected,
        )
        task = asyncio.create_task(serve(app, Place("127.0.0.1", port, "PORT", served="endpoint_served"), stop))
        try:
            await poll(lambda: _ready(calling.url))
            yield calling
        finally:
            stop.set()
            await task


def a_connection(org: str, **changes: Any) -> GiosgConnection:
    """The stand-in's room, with both secrets."""
    given: dict[str, Any] = {
        "name": "support",
        "org": org,
        "organization_id": ORGANIZATION_ID,
        "room_id": ROOM_ID,
        "api_token": SecretStr("planted-api-token"),
        "webhook_secret": SecretStr(SECRET),
        "webhook_secret_previous": SecretStr(PREVIOUS),
        "webhook_public_url": "https://heimdall.example.org",
    }
    return GiosgConnection.model_validate({**given, **changes})


def a_message(chat_id: str | None = None, message_id: str | None = None, **changes: Any) -> bytes:
    """The body of a webhook that tells of an agent's message."""
    chat, message = chat_id or str(uuid4()), message_id or str(uuid4())
    resource = {"id": message, "type": "msg", "chat_id": chat, "sender_type": "user", "message": "planted words"}
    body = {"channel": f"{CHATS}/{chat}/messages", "action": "added", "resource_id": message, "resource": resource}
    return json.dumps({**body, **changes}).encode()


async def _ready(url: str) -> bool:
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        try:
            return (await client.get(f"{url}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False
