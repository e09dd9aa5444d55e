"""What a service does on the bus, all of it plain subjects and documented bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from broker.codec import MSGPACK, decode, encode
from broker.domain import headers as names
from broker.domain.ids import ActionName, ChannelName, ChatName, OrgId, ServiceName, SessionId, Stub
from broker.domain.subjects import ChatPath, CommandSubject, Conversation, DeliverySubject, Kind, Verb
from broker.domain.wire import Body, dump, validate
from broker.errors import ConflictError
from broker.kit.records import StubRecord, stub_key, stubs_bucket
from broker.transport.commands import request_command
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import last_sequence
from broker.transport.records import Records
from broker.transport.topology import DELIVERIES

COMMAND_WAIT_S = 10.0


class ServiceBus:
    """One org's view of the bus, for one service."""

    def __init__(self, connection: Connection, publisher: Publisher, org: OrgId, service: ServiceName) -> None:
        self.org = org
        self.service = service
        self._connection = connection
        self._publisher = publisher
        self._stubs = Records(connection, publisher, stubs_bucket(service))

    async def load(self, stub: Stub) -> tuple[StubRecord | None, int]:
        """The stub's record, None if there is none, and the revision that a save must name."""
        found = await self._stubs.read(stub_key(self.org, stub.ref))
        if found.value is None:
            return None, found.revision
        return validate(StubRecord, decode(found.value), what="stub record"), found.revision

    async def save(self, stub: Stub, record: StubRecord, *, revision: int) -> int:
        """Keep the record, and its new revision, if nobody else wrote it since; ConflictError if somebody did."""
        key = stub_key(self.org, stub.ref)
        return await self._stubs.write(key, encode(dump(record)), revision=revision, ttl_s=record.kept_s)

    async def create(self, stub: Stub, record: StubRecord) -> None:
        """Keep a new stub's record; one that is there already stays as it is."""
        found, revision = await self.load(stub)
        if found is not None:
            return
        try:
            await self.save(stub, record, revision=revision)
        except ConflictError:
            return  # the same run, seen twice, made it in between

    async def notify(
        self,
        conversation: Conversation,
        members: Body,
        stubsession: Body | None,
        *,
        sender: Stub,
        message_id: str,
    ) -> asyncio.Future[Any]:
        """Publish a notification; ``members`` are named without the channel's prefix."""
        channel = conversation.path.channel
        content: Body = {"sessionuuid": conversation.session}
        content |= {f"{channel}_{name}": value for name, value in members.items()}
        if stubsession is not None:
            content["stubsession"] = stubsession
        return await self._publisher.submit(
            conversation.subject(Kind.NOTIFICATION),
            encode({"platforms": {channel: content}}),
            self._headers(message_id, sender),
        )

    async def link(
        self, conversation: Conversation, stub: Stub, *, hours: float, sender: Stub, message_id: str
    ) -> asyncio.Future[Any]:
        """Publish the task ``manage_stubsession``: a stub is to have the conversation for so long."""
        channel = conversation.path.channel
        task: Body = {"operation": "set", "sessionuuid": conversation.session, "stubref": str(stub)}
        task["set_new_with_timeout_hours"] = float(hours)
        return await self._publisher.submit(
            conversation.subject(Kind.SET),
            encode({"params": {"platform": channel, channel: task}}),
            self._headers(message_id, sender),
        )

    async def deliver(
        self, stub: Stub, action: ActionName, run: Body, *, conversation: Conversation | None, message_id: str
    ) -> asyncio.Future[Any]:
        """Publish a run for a stub of this org."""
        headers = self._headers(message_id, None)
        if conversation is not None:
            headers[names.CONVERSATION] = conversation.prefix
        return await self._publisher.submit(str(DeliverySubject(self.org, stub, action)), encode(run), headers)

    async def answer(self, inbox: str, body: Body) -> None:
        """Tell whoever waits at an inbox; nobody minds if it is gone."""
        await self._connection.publish(inbox, encode(body), headers={names.CONTENT_TYPE: MSGPACK})

    async def last_run(self) -> int:
        """The last sequence of DELIVERIES."""
        return await last_sequence(self._connection, DELIVERIES)

    async def command(
        self, verb: Verb, body: Body, *, sender: Stub | None = None, headers: Mapping[str, str] | None = None
    ) -> Body:
        """Ask the backbone; ``headers`` beside those that each command has.

        Raises:
            CommandRefusedError: it answered with an error, whose code this one carries.
            NoWorkerError, NoAnswerError: no linker runs, or none answers in time.
        """
        said = {**(headers or {}), names.CONTENT_TYPE: MSGPACK}
        if sender is not None:
            said[names.STUB] = str(sender)
        subject = CommandSubject(self.org, verb)
        return await request_command(self._connection, subject, encode(body), headers=said, wait_s=COMMAND_WAIT_S)

    async def conversation_of(self, session: SessionId) -> Conversation:
        """Where a session of the org lives."""
        found = (await self.command("session", {"sessionuuid": session}))["session"]
        path = ChatPath(ChannelName(found["channel"]), OrgId(found["org"]), ChatName(found["chat_name"]))
        return Conversation(path, session)

    def _headers(self, message_id: str, sender: Stub | None) -> dict[str, str]:
        headers = {names.MESSAGE_ID: message_id, names.CONTENT_TYPE: MSGPACK}
        if sender is not None:
            headers[names.STUB] = str(sender)
        return headers
