"""The commands about the desk: ``stubber.systems.commands.org.<O>.channel.giosg.availability``."""

from __future__ import annotations

from broker.codec import decode
from broker.domain.desks import AskAvailability, AvailabilityReply
from broker.domain.ids import ChannelName, OrgId
from broker.domain.wire import Body, validate
from broker.errors import UnknownConnectionError
from broker.runtime.replying import reply_of
from broker.transport.commands import Command
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
