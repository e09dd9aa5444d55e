"""The commands about the desk: ``stubber.systems.commands.org.<O>.channel.giosg.availability``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from broker.codec import decode
from broker.domain.desks import AskAvailability, AvailabilityReply
from broker.domain.ids import ChannelName, OrgId
from broker.domain.subjects import DESK_VERBS
from broker.domain.wire import Body, validate
from broker.errors import UnknownConnectionError
from broker.runtime.replying import reply_of
from broker.transport.commands import Command, channel_verbs, serve_commands
from broker.transport.connection import Connection
from workers.giosg.connections.connection import Connections
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.health import moment

GIOSG = ChannelName("giosg")


class DeskCommands:
    """Answers what may be asked about agents; what cannot be answered is a reply as well."""

    def __init__(self, connections: Connections, availability: Availability) -> None:
        self._connections = connections
        self._availability = availability

    async def __call__(self, command: Command) -> bytes:
        """The encoded reply."""

        async def act() -> Body:
            asked = validate(AskAvailability, decode(command.data), what="availability")
            return await self._answer(command.parsed_for_channel.org, asked.connection)

        return await reply_of(act, worker=f"{GIOSG} worker")

    async def _answer(self, org: OrgId, name: str) -> Body:
        connection = self._connections.get(name)
        if connection is None or connection.org != org:  # another org's is as unknown as none
            raise UnknownConnectionError(name, org=org, desk=GIOSG)
        found = await self._availability.check(connection)
        reply = AvailabilityReply(
            available=found.available, humans=found.humans, checked_at=moment(found.checked_at_ms)
        )
        return reply.model_dump()


@contextlib.asynccontextmanager
async def serve_desk_commands(
    connection: Connection, connections: Connections, availability: Availability
) -> AsyncIterator[None]:
    """Answer until the end of the block; a desk without connections answers nothing."""
    if not connections.all():
        yield
        return
    commands = DeskCommands(connections, availability)
    endpoints = channel_verbs(GIOSG, DESK_VERBS)
    async with serve_commands(connection, commands, name="heimdall-giosg", endpoints=endpoints):
        yield
