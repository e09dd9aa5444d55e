"""The commands: what services and the CLI ask of the backbone by request and reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from broker.codec import decode
from broker.domain.ids import OrgId
from broker.domain.subjects import Verb
from broker.domain.wire import Body
from broker.runtime.replying import reply_of
from broker.transport.commands import Command
from workers.linker.chats import Chats
from workers.linker.emitting import Emitting
from workers.linker.linking import Linking
from workers.linker.queries import Queries
from workers.linker.registering import Registering

Answer = Callable[[OrgId, Body, Mapping[str, str]], Awaitable[Body]]


class Commands:
    """One method per verb. A reply is a map; ``{"error": {"code", "message"}}`` says what went wrong."""

    def __init__(
        self, registering: Registering, linking: Linking, emitting: Emitting, chats: Chats, queries: Queries
    ) -> None:
        self._verbs: dict[Verb, Answer] = {
            "register": registering.register,
            "deregister": registering.deregister,
            "registrations": registering.registrations,
            "emit": emitting.emit,
            "notify": linking.notify,
            "linkset": linking.linkset,
            "linkdelete": linking.linkdelete,
            "stubclose": linking.stubclose,
            "links": queries.links,
            "session": queries.session,
            "transcript": queries.transcript,
            "profilecreate": chats.create,
            "profiles": chats.profiles,
        }

    async def __call__(self, command: Command) -> bytes:
        """The encoded reply; a request that cannot be answered gets its error's code and sentence."""

        async def act() -> Body:
            parsed = command.parsed
            return await self._verbs[parsed.verb](parsed.org, decode(command.data), command.headers)

        return await reply_of(act, worker="linker")
