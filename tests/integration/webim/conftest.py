"""The real webim worker in this process, a channel with a deployment, and Webim's calls by a plain HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.deployments import Deployment, deployment_key
from broker.domain.ids import SessionId
from broker.domain.subjects import DEADLETTERS, Kind, partition_of
from broker.domain.wire import dump
from broker.runtime.backbone import Backbone, open_backbone
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Stored
from broker.transport.reader import LogReader, StoredMessage, read_range
from broker.transport.topology import CHANNELS, CONVERSATIONS, DEADLETTER_STREAM, PARTITIONS, PROGRAMS
from tests.conftest import TIME_FACTOR, poll
from tests.processes import free_port
from tests.standins import webim_control
from tests.standins.webim_control import NO_TLS
from tests.standins.webim_fixtures import webim_url
from workers.webim.__main__ import work
from workers.webim.channel import Channel, ChannelSettings, OrgChannels
from workers.webim.chat.chats import Chat, chat_key
from workers.webim.chat.store import CHATS, ChatStore
from workers.webim.settings import WebimSettings

__all__ = ["webim_url"]

READ_MAX = 1_000
CALL_WAIT_S = 30.0 * TIME_FACTOR
V2 = {"X-Bot-API-Version": "2.0", "X-Bot-API-Dialect": "Webim Standard", "X-Webim-Version": "10.5.62"}
V1 = {"X-Bot-API-Version": "1.0"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event of the log; ``kind`` is what stands behind the conversation's prefix."""

    kind: str
    session: str
    body: Json
    sequence: int
    headers: dict[str, str]

    @property
    def asks(self) -> bool:
        """Whether there is a question in it."""
        return "webim_request" in self.body.get("heimdall", {}).get("webim", {})

    @property
    def request(self) -> Json:
        """The question in it."""
        found: Json = self.body["heimdall"]["webim"]["webim_request"]
        return found


class Webim:
    """One running worker, and Webim in front of it."""

    def __init__(self, backbone: Backbone, org: str, port: int, client: httpx2.AsyncClient) -> None:
        self.backbone = backbone
        self.org = org
        self.port = port
        self.client = client
        self.stop = asyncio.Event()
        self.channel = Channel(id="none", org=org, access_token="", settings=_settings(), created_at_ms=0)

    @property
    def url(self) -> str:
        """The endpoint of the test's channel."""
        return f"http://127.0.0.1:{self.port}/chatapi/webim/{self.channel.access_token}"

    async def put_channel(self, *, deployed: bool = True, service: str | None = None, **settings: object) -> Channel:
        """A channel of the org's, known to the worker; it is the one that calls go to from now on."""
        channel = Channel(
            id=f"ch{uuid4().hex[:12]}",
            org=self.org,
            access_token=uuid4().hex + "-token",
            settings=_settings(**settings),
            created_at_ms=1,
        )
        records = self.backbone.records(CHANNELS)
        found = (await records.read(f"{self.org}.webim")).value
        known = [] if found is None else OrgChannels.model_validate(decode(found)).channels
        await records.write(f"{self.org}.webim", encode(dump(OrgChannels(channels=[*known, channel]))), revision=None)
        self.channel = channel
        if deployed:
            await self.deploy(service=service)
        await poll(lambda: self._is_served(deployed=deployed))
        return channel

    async def deploy(self, *, service: str | None = None, commit: str = "c0ffee", asked_at_ms: int = 1) -> None:
        """One more version that succeeded."""
        deployment = Deployment(
            id=f"dp{uuid4().hex[:8]}",
            org=self.org,
            channel_id=self.channel.id,
            ref="master",
            status="succeeded",
            kind="branch",
            commit=commit,
            service=service,
            asked_at_ms=asked_at_ms,
        )
        key = deployment_key(self.org, self.channel.id, deployment.id)
        await self.backbone.records(PROGRAMS).write(key, encode(dump(deployment)), revision=None)

    async def remove_channels(self, *ids: str) -> None:
        """Delete these channels of the org's."""
        records = self.backbone.records(CHANNELS)
        found = (await records.read(f"{self.org}.webim")).value
        known = [] if found is None else OrgChannels.model_validate(decode(found)).channels
        left = OrgChannels(channels=[channel for channel in known if channel.id not in ids])
        await records.write(f"{self.org}.webim", encode(dump(left)), revision=None)

    async def post(
        self, body: Json | bytes, *, headers: dict[str, str] | None = None, suffix: str = ""
    ) -> httpx2.Response:
        """One call of Webim's."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(V2 if headers is None else headers)}
        return await self.client.post(self.url + suffix, content=content, headers=sent)

    async def say(self, chat_id: int | str, text: str, **more: Any) -> httpx2.Response:
        """A visitor's message, in v2."""
        message = {"kind": "visitor", "text": text, **more}
        return await self.post({"event": "new_message", "chat_id": chat_id, "message": message})

    async def events(self) -> list[Event]:
        """Everything in the log of the channel's conversations, oldest first."""
        pattern = f"p.*.{self.channel.path.prefix}.sessionuuid.>"
        found = await read_range(self.backbone.connection, CONVERSATIONS, (pattern,), limit=READ_MAX)
        return [event_in(message) for message in found]

    async def questions(self) -> list[Json]:
        """What programs are asked, oldest first."""
        return [event.request for event in await self.events() if event.asks]

    async def kinds(self) -> list[str]:
        """The kinds of all events, oldest first."""
        return [event.kind.removeprefix("webimmessagetype.") for event in await self.events()]

    async def letters(self) -> list[Json]:
        """The org's dead letters."""
        pattern = f"{DEADLETTERS}.org.{self.org}.>"
        found = await read_range(self.backbone.connection, DEADLETTER_STREAM, (pattern,), limit=READ_MAX)
        return [decode(message.data) for message in found]

    async def chat(self, chat_id: int | str) -> Chat:
        """What is remembered of a chat."""
        records = self.backbone.records
        kept = await ChatStore(records(CHATS), records("SESSIONS")).load(self.channel.id, str(chat_id))
        assert kept.chat is not None
        return kept.chat

    async def change_chat(self, chat_id: int | str, **changes: object) -> None:
        """Let something else have happened to the chat."""
        store = ChatStore(self.backbone.records(CHATS), self.backbone.records("SESSIONS"))
        kept = await store.load(self.channel.id, str(chat_id))
        assert kept.chat is not None
        after = kept.chat.model_copy(update=changes)
        await store.save(after, revision=kept.revision, idle_s=self.channel.settings.session_idle_ttl_s)

    async def keep_chat(self, chat: Chat) -> None:
        """Put a chat's record there as it is."""
        store = ChatStore(self.backbone.records(CHATS), self.backbone.records("SESSIONS"))
        await store.save(chat, revision=0, idle_s=self.channel.settings.session_idle_ttl_s)

    async def break_chat(self, chat_id: int | str, value: bytes) -> None:
        """Put something there that is no chat's record."""
        await self.backbone.records(CHATS).write(chat_key(self.channel.id, str(chat_id)), value, revision=None)

    async def link(self, session: str, stub: str) -> None:
        """What a program publishes to give a session to a stub."""
        task = {"operation": "set", "sessionuuid": session, "stubref": stub, "set_new_with_timeout_hours": 1.0}
        body = encode({"params": {"platform": "webim", "webim": task}})
        subject = self.channel.path.conversation(SessionId(session)).subject(Kind.SET)
        await self.backbone.publisher.store(subject, body)

    async def notify(self, session: str, *, stub: str = "test.stub", **members: Any) -> Stored:
        """What a program publishes: ``response={...}`` for webim_response, ``message={...}`` for webim_message."""
        content = {"sessionuuid": session, **{f"webim_{name}": value for name, value in members.items()}}
        subject = self.channel.path.conversation(SessionId(session)).subject(Kind.NOTIFICATION)
        body = encode({"platforms": {"webim": content}})
        return await self.backbone.publisher.store(subject, body, {names.STUB: stub})

    @contextlib.asynccontextmanager
    async def program(self, answer: Callable[[Json], Awaitable[object]]) -> AsyncIterator[None]:
        """A program on the bus: each question of the channel's is answered by ``answer``, side by side."""
        tasks: set[asyncio.Task[object]] = set()

        async def accept(message: StoredMessage) -> None:
            if not (event := event_in(message)).asks:
                return
            task = asyncio.ensure_future(answer(event.request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        pattern = f"p.*.{self.channel.path.prefix}.sessionuuid.*.webimmessagetype.>"
        async with LogReader(self.backbone.connection, CONVERSATIONS, accept, filters=(pattern,)):
            yield
        for task in tasks:
            task.cancel()

    async def receipts(self, session: str) -> list[Json]:
        """The receipts of a session, oldest first."""
        path = self.channel.path.conversation(SessionId(session)).prefix
        pattern = f"p.{partition_of((session,), PARTITIONS)}.{path}.receipt"
        found = await read_range(self.backbone.connection, CONVERSATIONS, (pattern,), limit=READ_MAX)
        return [decode(message.data) for message in found]

    async def _is_served(self, *, deployed: bool) -> bool:
        """Whether the worker has seen the channel, and its deployment: an unknown event is ignored then."""
        settings = self.channel.settings
        login = f"{settings.inbound_basic_user or ''}:{settings.inbound_basic_password or ''}"
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        answer = await self.client.post(self.url + "/v1", content=b'{"event": "readiness"}', headers=headers)
        return answer.status_code == 200 if deployed else answer.json().get("error") == "channel_not_deployed"


def event_in(message: StoredMessage) -> Event:
    """A stored message of a conversation."""
    session, _, kind = message.subject.partition(".sessionuuid.")[2].partition(".")
    return Event(kind, session, decode(message.data), message.sequence, dict(message.headers))


def _settings(**changes: object) -> ChannelSettings:
    given = {"name": "Shop chat", "domain": "examplecom", "bot_api_token": "bot-token-of-the-test", **changes}
    return ChannelSettings.model_validate(given)


@contextlib.asynccontextmanager
async def running_webim(url: str, org: str, **changes: object) -> AsyncIterator[Webim]:
    """A worker on that server, ready, with one channel; it must end by itself when told to."""
    nowhere = {"base_url_template": "http://127.0.0.1:9", "private_addresses": True}
    settings = WebimSettings(nats_url=url, port=free_port()).model_copy(update={**nowhere, **changes})
    async with (
        open_backbone(settings, name="webim") as backbone,
        httpx2.AsyncClient(timeout=CALL_WAIT_S, verify=NO_TLS) as client,
    ):
        webim = Webim(backbone, org, settings.port, client)
        task = asyncio.create_task(work(settings, backbone, webim.stop))
        try:
            await poll(lambda: _listens(settings.port))
            await webim.put_channel()
            yield webim
        finally:
            webim.stop.set()
            async with asyncio.timeout(5.0 * TIME_FACTOR):
                await task


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A server of this folder's own: most of these tests say what is in a log that no linker adds to."""
    async with nats_server(tmp_path_factory.mktemp("webim-nats")) as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


@pytest_asyncio.fixture
async def webim(server: EmbeddedServer, org: str) -> AsyncIterator[Webim]:
    """The worker that most tests use."""
    async with running_webim(server.url, org) as running:
        yield running


@pytest_asyncio.fixture
async def standin(webim_url: str) -> AsyncIterator[webim_control.Webim]:
    """The stand-in Webim, reset for this test."""
    async with webim_control.webim_at(webim_url) as opened:
        await opened.reset()
        yield opened


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
