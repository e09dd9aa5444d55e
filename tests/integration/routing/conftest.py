"""The real linker and the real expiry worker as processes, and a visitor, stubs and an observer to play with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.grammar import parse_subject
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import (
    DEADLETTERS,
    STUBS,
    ChatPath,
    CommandSubject,
    Conversation,
    DeliverySubject,
    Kind,
    Verb,
    partition_of,
)
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES, PARTITIONS
from tests.conftest import poll
from tests.processes import worker_process

READ_MAX = 2_000
Body = dict[str, Any]


@pytest.fixture(scope="session")
def routing(server: EmbeddedServer) -> Iterator[None]:
    """One linker and one expiry worker for the whole session."""
    with worker_process("linker", server.url), worker_process("expiry", server.url):
        yield


class Chat:
    """One chat of one org, seen from all sides; everything goes over the real bus."""

    def __init__(self, connection: Connection, publisher: Publisher, org: str, chat_name: str = "draftshop") -> None:
        self.connection = connection
        self.publisher = publisher
        self.path = ChatPath(ChannelName("webchat"), OrgId(org), ChatName(chat_name))
        self.org = self.path.org

    def conversation(self) -> Conversation:
        """A conversation with a fresh session."""
        return self.path.conversation(SessionId(str(uuid4())))

    def visitor_body(self, conversation: Conversation, **members: object) -> Body:
        """A visitor event with the documented configuration."""
        content: Body = {"sessionuuid": conversation.session, **members}
        content["webchat_configuration"] = {
            "orguuid": self.org,
            "chatname": self.path.chat,
            "passthroughData": "{'a':'b'}",
        }
        return {"heimdall": {"webchat": content}}

    async def publish(
        self, subject: str, body: Body | bytes, *, stub: str | None = None, message_id: str | None = None
    ) -> int:
        """Store an event; its sequence."""
        headers = {names.MESSAGE_ID: message_id or str(uuid4())}
        if stub is not None:
            headers[names.STUB] = stub
        data = body if isinstance(body, bytes) else encode(body)
        return (await self.publisher.store(subject, data, headers)).sequence

    async def open(self, conversation: Conversation) -> int:
        """The visitor opens the window."""
        return await self.publish(self.path.initialize(), self.visitor_body(conversation))

    async def say(self, conversation: Conversation, text: str, kind: Kind = Kind.MESSAGE, **more: object) -> int:
        """The visitor writes; the kind in the subject is the adapter's opinion only."""
        body = self.visitor_body(conversation, webchat_message={"type": "text", "value": text}, **more)
        return await self.publish(conversation.subject(kind), body)

    async def notify(self, conversation: Conversation, stub: str, **members: object) -> int:
        """A stub writes; members as documented, ``stubsession`` among them."""
        body = {"platforms": {"webchat": {"sessionuuid": conversation.session, **members}}}
        return await self.publish(conversation.subject(Kind.NOTIFICATION), body, stub=stub)

    async def link(self, conversation: Conversation, stub: str, hours: float = 24, action: str | None = None) -> int:
        """A stub sets its link by a notification, and the fact is there when this returns."""
        stubsession: Body = {"set_new_with_timeout_hours": hours}
        if action is not None:
            stubsession["set_feedback_action"] = action
        epoch = await self.notify(conversation, stub, stubsession=stubsession)

        async def linked() -> bool:
            return any(fact["epoch"] == epoch for fact in await self.facts(conversation, Kind.LINKED))

        await poll(linked)
        return epoch

    async def link_after_open(self, conversation: Conversation, stub: str, hours: float = 24) -> int:
        """The same for a session that has just begun."""
        await self.open(conversation)
        await self.settled()
        return await self.link(conversation, stub, hours)

    async def command(self, verb: Verb, body: Body, *, stub: str | None = None, org: str | None = None) -> Body:
        """Ask the linker."""
        headers = {} if stub is None else {names.STUB: stub}
        subject = str(CommandSubject(OrgId(org or self.org), verb))
        return decode((await self.connection.request(subject, encode(body), headers=headers)).data)

    async def register(self, path: str, *, stub: str, action: str, mechanism: str = "evt", keep: bool = True) -> Body:
        """A stub's standing wish."""
        params = {
            "uuid": str(uuid4()),
            "registration_name": "test",
            "on_trigger_method": "keep" if keep else "remove",
            "events": {"it": {"path": path, "mechanism": mechanism, "timeout_seconds": 60}},
            "trigger_stubaction": {"action_name": action, "stubref": stub, "message": "registered"},
        }
        return await self.command("register", {"tasktype": "heimdall_register", "params": params})

    async def runs(self, service: str = "*") -> list[tuple[str, str, Body]]:
        """All runs for stubs of the org so far: (stub, action, stubpost), in order."""
        found = await read_range(
            self.connection,
            DELIVERIES,
            (f"p.*.{STUBS}.org.{self.org}.service.{service}.>",),
            after=0,
            limit=READ_MAX,
        )
        return [_run(message) for message in found]

    async def facts(self, conversation: Conversation, kind: Kind) -> list[Body]:
        """The bodies of one kind of event in a conversation, in order."""
        partition = partition_of((conversation.session,), PARTITIONS)
        subject = f"p.{partition}.{conversation.subject(kind)}"
        found = await read_range(self.connection, CONVERSATIONS, (subject,), after=0, limit=READ_MAX)
        return [decode(message.data) for message in found]

    async def dead(self) -> list[Body]:
        """The org's dead letters, in order."""
        pattern = f"{DEADLETTERS}.org.{self.org}.>"
        found = await read_range(self.connection, DEADLETTER_STREAM, (pattern,), after=0, limit=READ_MAX)
        return [decode(message.data) for message in found]

    async def expect_runs(self, count: int, within_s: float = 5.0) -> list[tuple[str, str, Body]]:
        """Exactly so many runs, once the linker is through with everything published so far."""

        async def enough() -> bool:
            return len(await self.runs()) >= count

        await poll(enough, within_s)
        await self.settled()
        runs = await self.runs()
        assert len(runs) == count, [run[:2] for run in runs]
        return runs

    async def expect_dead(self, code: str) -> Body:
        """The org's one dead letter, with this reason."""

        async def there() -> bool:
            return bool(await self.dead())

        await poll(there)
        dead = await self.dead()
        assert [letter["reason"] for letter in dead] == [code], [letter["detail"] for letter in dead]
        return dead[0]

    async def settled(self) -> None:
        """Return when the linker has folded everything that was published before this call."""
        waiting = {f"linker-{number}" for number in range(PARTITIONS)} | {"linker-rest"}
        deadline_s = asyncio.get_running_loop().time() + 10
        while waiting and asyncio.get_running_loop().time() < deadline_s:
            for name in list(waiting):
                info = await self.connection.ask(f"CONSUMER.INFO.{CONVERSATIONS}.{name}")
                if info["num_pending"] == 0 and info["num_ack_pending"] == 0:
                    waiting.discard(name)
        assert not waiting, f"the linker is still busy with {waiting}"


def _run(message: StoredMessage) -> tuple[str, str, Body]:
    subject = parse_subject(message.public_subject)
    assert isinstance(subject, DeliverySubject)
    return str(subject.stub), subject.action, decode(message.data)["stubpost"]


@pytest_asyncio.fixture
async def chat(routing: None, connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Chat]:
    """A chat of the test's own org."""
    yield Chat(connection, publisher, org)
