"""Nothing that opens anything is ever told: not by logs, not by the bus, not by metrics, not by health."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest_asyncio

from broker.runtime.backbone import open_backbone
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.reader import read_range
from broker.transport.topology import stream_of
from tests.conftest import poll
from tests.integration.giosg.conftest import SECRET, Desk, connections_file
from tests.integration.giosg.talking import Talk, begin
from tests.processes import free_port, logged_worker_process
from tests.standins.giosg_control import API_TOKEN, Giosg
from tests.standins.webim_control import NO_TLS
from workers.giosg.cases.store import CASES
from workers.giosg.settings import GiosgSettings

PREVIOUS = "planted-previous-webhook-secret-0123456789"
APP_SECRET = "planted-app-secret-0123456789"
LOG = "worker.log"
READ_MAX = 20_000


@pytest_asyncio.fixture
async def telling(
    server: EmbeddedServer,
    routing: None,
    org: str,
    giosg: Giosg,
    tmp_path: Path,
) -> AsyncIterator[Desk]:
    """A worker as a process of its own, which tells all that it can tell."""
    for name, secret in (("previous", PREVIOUS), ("app", APP_SECRET)):
        (tmp_path / name).write_text(secret)
    port = free_port()
    planted: dict[str, Any] = {
        "webhook_secret_previous": {"file": str(tmp_path / "previous")},
        "app_secret": {"file": str(tmp_path / "app")},
    }
    path = connections_file(tmp_path, org, giosg, port, max_retries=0, **planted)
    settings = {
        "HEIMDALL_LOG_LEVEL": "debug",
        "HEIMDALL_GIOSG_CONNECTIONS": str(path),
        "HEIMDALL_GIOSG_PORT": str(port),
    }
    with (tmp_path / LOG).open("wb") as log, logged_worker_process("giosg", server.url, log, **settings):
        async with open_backbone(GiosgSettings(nats_url=server.url), name="test") as backbone:
            desk = Desk(backbone, org, giosg, port)
            await desk.subscribe()
            yield desk


async def test_check_42_a_full_run_at_debug_level_tells_no_secret(telling: Desk, giosg: Giosg, tmp_path: Path) -> None:
    await giosg.webhooks(app_user_auth=True)
    talk = await begin(telling)
    await play(talk, giosg)
    told = [await page(telling, "/metrics"), await page(telling, "/giosg/health")]
    told += [part async for part in on_the_bus(telling.backbone.connection)]
    logged = (tmp_path / LOG).read_text()
    secrets = await all_secrets(giosg)
    assert len(secrets) > 8
    assert any("Good day" in part for part in told), "bodies are looked into as well"
    assert '"message_heard"' in logged, "these are the worker's own lines"
    assert [secret for secret in secrets if secret in logged] == []
    assert [secret for secret in secrets for part in told if secret in part] == []


async def play(talk: Talk, giosg: Giosg) -> None:
    """A conversation in which all goes wrong that may, so that everything is told of it."""
    desk = talk.desk
    await giosg.join(talk.chat_id)
    await giosg.say(talk.chat_id, "Good day")
    await talk.until_heard("Good day")
    for query in (f"?secret={SECRET}", "?secret=wrong", f"?secret={PREVIOUS}", f"?token={SECRET}"):
        for path in ("messages", "nowhere"):
            await giosg.raw(f"{desk.url}/{path}{query}", b"no JSON")
    await giosg.expire_visitor_tokens()
    await desk.say(talk.conversation, "after the token")
    await poll(lambda: has_arrived(giosg, "after the token"), within_s=15)
    quoting = f'{{"detail": "{API_TOKEN} {SECRET} may not"}}'
    await giosg.fault(method="POST", path="/messages", status=400, body=quoting)
    await desk.say(talk.conversation, "refused")
    await talk.until_told("message.failed")
    (visitor,) = await giosg.visitors()
    await giosg.forget_secret(visitor["id"])
    await giosg.expire_visitor_tokens()
    await desk.say(talk.conversation, "after the identity")
    await poll(lambda: has_arrived(giosg, "after the identity"), within_s=15)
    await giosg.api_tokens("another-token")
    await giosg.end((await giosg.chats())[-1].id)
    await talk.until_told("session.ended")
    await talk.until_worked_off()


async def all_secrets(giosg: Giosg) -> set[str]:
    """Those of the settings, and all that giosg has given out."""
    found = {API_TOKEN, SECRET, PREVIOUS, APP_SECRET}
    found |= {str(visitor["secret"]) for visitor in await giosg.visitors()}
    for call in await giosg.calls():
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            found.add(token)
    for delivery in await giosg.deliveries():
        if (given := delivery.body.get("app_user_auth")) is not None:
            found.add(str(given["access_token"]))
    return found


async def page(desk: Desk, path: str) -> str:
    """What the worker answers to whoever asks."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"http://127.0.0.1:{desk.port}{path}")
    assert answer.status_code == 200
    return answer.text


async def on_the_bus(connection: Connection) -> AsyncIterator[str]:
    """All that is stored: subject, headers, body; no body of the desk's own bucket, which keeps visitors' secrets."""
    for stream in (await connection.ask("STREAM.NAMES", {}))["streams"]:
        for message in await read_range(connection, stream, (">",), limit=READ_MAX):
            yield f"{message.subject} {dict(message.headers)}"
            if stream != stream_of(CASES):
                yield message.data.decode(errors="replace")


async def has_arrived(giosg: Giosg, text: str) -> bool:
    """Whether giosg has the visitor's text."""
    return any(text in chat.texts("visitor") for chat in await giosg.chats())
