"""The real giosg worker, linker and expiry, the stand-in giosg, and both sides' people: visitors and stubs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.profiles import Profile
from broker.domain.subjects import DEADLETTERS, STUBS, ChatPath, Conversation, Kind, partition_of
from broker.domain.wire import Body, dump
from broker.runtime.backbone import Backbone, open_backbone
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure, ensure_bucket
from broker.transport.reader import read_range
from broker.transport.topology import (
    CONVERSATIONS,
    DEADLETTER_STREAM,
    DELIVERIES,
    PARTITIONS,
    PROFILES,
    SESSIONS,
    stream_of,
)
from tests.conftest import TIME_FACTOR, poll
from tests.processes import free_port, worker_process
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg
from tests.standins.giosg_fixtures import giosg, giosg_urls
from tests.standins.webim_control import NO_TLS
from workers.giosg.__main__ import work
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CASES, CaseStore
from workers.giosg.settings import GiosgSettings

__all__ = ["giosg", "giosg_urls"]

READ_MAX = 2_000
SECRET = "webhook-secret-of-the-test-0123456789"
BOT = "bot.b1"
CONNECTION = "support"
DESK = f"giosg.{CONNECTION}"
ORDER_WAIT_S = 0.2
"""A fifth of what a worker has by itself: most tests say nothing about it."""


@dataclass(frozen=True)
class Told:
    """One notification of the desk's: what the visitor reads, who says it, and the event for programs."""

    sequence: int
    text: str | None
    agent: str | None
    event: Body

    @property
    def type(self) -> str:
        """What happened."""
        return str(self.event.get("type"))


class Desk:
    """One running worker with one connection, ``support``; everything goes over the real bus and real HTTP."""

    def __init__(self, backbone: Backbone, org: str, giosg: Giosg, port: int) -> None:
        self.backbone = backbone
        self.org = OrgId(org)
        self.giosg = giosg
        self.port = port
        self.path = ChatPath(ChannelName("webchat"), self.org, ChatName("draftshop"))
        self.cases = CaseStore(backbone.records(CASES))

    @property
    def url(self) -> str:
        """Where the connection's webhooks go, without the last part."""
        return f"http://127.0.0.1:{self.port}/giosg/{CONNECTION}"

    async def subscribe(self) -> None:
        """giosg sends its webhooks."""
        await self.giosg.subscribe(self.url, query=f"?secret={SECRET}")

    async def route_here(self) -> None:
        """The chat's profile leads to the desk from the start."""
        profile = Profile(
            org=self.org,
            branch="draft",
            name="shop",
            chat_name=self.path.chat,
            profile_uuid=str(uuid4()),
            stub=DESK,
        )
        key = f"{self.org}.{self.path.chat}"
        await self.backbone.records(PROFILES).write(key, encode(dump(profile)), revision=None)

    async def open(self) -> Conversation:
        """A visitor opens the window: a new conversation, known to the linker."""
        conversation = self.path.conversation(SessionId(str(uuid4())))
        await self.publish(self.path.initialize(), self.visitor_body(conversation))

        async def known() -> bool:
            return (await self.backbone.records(SESSIONS).read(conversation.session)).value is not None

        await poll(known)
        return conversation

    async def say(self, conversation: Conversation, text: str, kind: Kind = Kind.MESSAGE, **members: Any) -> int:
        """The visitor writes; the event's sequence."""
        body = self.visitor_body(conversation, webchat_message={"type": "text", "value": text}, **members)
        return await self.publish(conversation.subject(kind), body)

    async def end(self, conversation: Conversation) -> int:
        """The visitor ends the session."""
        return await self.publish(conversation.subject(Kind.ENDED), self.visitor_body(conversation))

    async def hand_over(self, conversation: Conversation, *, hours: float = 24.0) -> int:
        """The bot has the conversation, and gives it to the desk; the sequence of its wish is the epoch."""
        await self.link(conversation, BOT)
        return await self.link(conversation, DESK, hours=hours)

    async def link(self, conversation: Conversation, stub: str, *, hours: float = 24.0) -> int:
        """Give the conversation to a stub; the linker has done it when this returns."""
        task = {"operation": "set", "sessionuuid": conversation.session, "stubref": stub}
        task["set_new_with_timeout_hours"] = hours  # type: ignore[assignment]  # one dictionary of strings and a number
        body = {"params": {"platform": "webchat", "webchat": task}}
        epoch = await self.publish(conversation.subject(Kind.SET), body, stub=BOT)

        async def linked() -> bool:
            facts = await self.events(conversation, Kind.LINKED)
            return any(fact["epoch"] == epoch for _, fact in facts)

        await poll(linked)
        return epoch

    async def publish(self, subject: str, body: Body, *, stub: str | None = None) -> int:
        """Store an event; its sequence."""
        headers = {names.MESSAGE_ID: str(uuid4())}
        if stub is not None:
            headers[names.STUB] = stub
        return (await self.backbone.publisher.store(subject, encode(body), headers)).sequence

    def visitor_body(self, conversation: Conversation, **members: Any) -> Body:
        """A visitor event with the documented configuration."""
        content: Body = {"sessionuuid": conversation.session, **members}
        content["webchat_configuration"] = {"orguuid": self.org, "chatname": self.path.chat}
        return {"heimdall": {"webchat": content}}

    async def events(self, conversation: Conversation, kind: Kind) -> list[tuple[int, Body]]:
        """The events of one kind, with their sequences, oldest first."""
        number = partition_of((conversation.session,), PARTITIONS)
        pattern = f"p.{number}.{conversation.subject(kind)}"
        found = await read_range(self.backbone.connection, CONVERSATIONS, (pattern,), limit=READ_MAX)
        return [(message.sequence, decode(message.data)) for message in found]

    async def told(self, conversation: Conversation) -> list[Told]:
        """What the desk told the visitor, oldest first."""
        found = []
        for sequence, body in await self.events(conversation, Kind.NOTIFICATION):
            content = body["platforms"]["webchat"]
            text = content.get("webchat_message", {}).get("value")
            agent = content.get("webchat_agent", {}).get("name")
            found.append(Told(sequence, text, agent, content.get("webchat_control_event", {})))
        return found

    async def types(self, conversation: Conversation) -> list[str]:
        """What happened, in the order that the visitor was told of it."""
        return [one.type for one in await self.told(conversation)]

    async def heard(self, conversation: Conversation) -> list[str | None]:
        """The agents' texts that the visitor got, oldest first."""
        return [one.text for one in await self.told(conversation) if one.type == "agent.message"]

    async def runs_of(self, stub: str) -> list[tuple[str, Body]]:
        """The runs of a stub of the org: action and stubpost, oldest first."""
        service, _, ref = stub.partition(".")
        pattern = f"p.*.{STUBS}.org.{self.org}.service.{service}.stubref.{ref}.>"
        found = await read_range(self.backbone.connection, DELIVERIES, (pattern,), limit=READ_MAX)
        return [(message.subject.rpartition(".")[2], decode(message.data)["stubpost"]) for message in found]

    async def letters(self) -> list[Body]:
        """The org's dead letters."""
        pattern = f"{DEADLETTERS}.org.{self.org}.>"
        found = await read_range(self.backbone.connection, DEADLETTER_STREAM, (pattern,), limit=READ_MAX)
        return [decode(message.data) for message in found]

    async def case(self, conversation: Conversation) -> Case | None:
        """What is remembered of the conversation."""
        return (await self.cases.load(conversation.session)).case

    async def chat_id(self, conversation: Conversation) -> str:
        """The giosg chat that the conversation has, once it has one."""

        async def there() -> bool:
            case = await self.case(conversation)
            return case is not None and case.chat is not None

        await poll(there)
        case = await self.case(conversation)
        assert case is not None
        assert case.chat is not None
        return case.chat.id


def connections_file(folder: Path, org: str, giosg: Giosg, port: int, **changes: Any) -> Path:
    """The connections' file with one connection, ``support``; its secrets lie in files beside it."""
    (folder / "api_token").write_text(API_TOKEN)
    (folder / "webhook_secret").write_text(SECRET)
    given: dict[str, Any] = {
        "org": org,
        "base_url": giosg.url,
        "organization_id": ORGANIZATION_ID,
        "room_id": ROOM_ID,
        "api_token": {"file": str(folder / "api_token")},
        "webhook_secret": {"file": str(folder / "webhook_secret")},
        "webhook_public_url": f"http://127.0.0.1:{port}",
        "availability_cache_seconds": 0,
        **changes,
    }
    path = folder / "giosg.toml"
    path.write_text(
        "\n".join([f"[connections.{CONNECTION}]", *(f"{key} = {_toml(each)}" for key, each in given.items())])
    )
    return path


@contextlib.asynccontextmanager
async def running_desk(
    url: str, org: str, giosg: Giosg, folder: Path, *, worker: Body | None = None, **changes: Any
) -> AsyncIterator[Desk]:
    """A worker on that server, ready; ``changes`` are the connection's, ``worker`` the worker's own settings.

    It must end by itself when told to.
    """
    port = free_port()
    path = connections_file(folder, org, giosg, port, **changes)
    own = {"order_wait_s": ORDER_WAIT_S, **(worker or {})}
    settings = GiosgSettings(nats_url=url, connections=str(path), port=port, **own)
    async with open_backbone(settings, name="giosg") as backbone:
        stop = asyncio.Event()
        task = asyncio.create_task(work(settings, backbone, stop))
        try:
            await poll(lambda: _ready(task, port))
            yield Desk(backbone, org, giosg, port)
        finally:
            stop.set()
            async with asyncio.timeout(10.0 * TIME_FACTOR):
                await task


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A server of this folder's own."""
    async with nats_server(tmp_path_factory.mktemp("giosg-nats")) as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


@pytest_asyncio.fixture(autouse=True)
async def nothing_known(server: EmbeddedServer) -> None:
    """The stand-in gives the same ids again after each reset: what is known of those must go as well."""
    async with connect(server.url, name="test-purge") as connection:
        await ensure_bucket(connection, CASES)
        await connection.ask(f"STREAM.PURGE.{stream_of(CASES)}", {})


@pytest.fixture(scope="session")
def routing(server: EmbeddedServer) -> Iterator[None]:
    """One linker and one expiry worker for the whole session."""
    with worker_process("linker", server.url), worker_process("expiry", server.url):
        yield


@pytest_asyncio.fixture
async def desk(server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path) -> AsyncIterator[Desk]:
    """The worker that most tests use; giosg sends its webhooks to it."""
    async with running_desk(server.url, org, giosg, tmp_path) as running:
        await running.subscribe()
        yield running


async def _ready(task: asyncio.Task[None], port: int) -> bool:
    if task.done():
        await task
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
        case _:
            return str(value)
