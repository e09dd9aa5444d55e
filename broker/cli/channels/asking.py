"""How the commands about channels ask: one adapter's verbs, over one connection; a channel by its id or its name."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from broker.cli.bus import connected
from broker.cli.options import nats_url_of, org_of
from broker.codec import encode
from broker.domain.ids import ChannelName, OrgId, channel_name
from broker.domain.subjects import ChannelCommandSubject, ChannelVerb
from broker.domain.wire import Body
from broker.errors import UnknownChannelError
from broker.transport.commands import request_command
from broker.transport.connection import Connection

DEFAULT_TYPE = "webim"
_ID = re.compile(r"ch[a-z0-9]{12}")

Type = Annotated[str, typer.Option("--type", help="The kind of channel: its adapter is asked.")]
Channel = Annotated[str, typer.Argument(help="The channel: its id, or its name.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a command asks, as its options say."""

    url: str
    org: OrgId
    channel: ChannelName

    @classmethod
    def of(cls, nats_url: str | None, org: str, kind: str) -> Asked:
        """Check the options that all these commands have.

        Raises:
            InvalidNameError: the org is no uuid, or the type no channel's name.
        """
        return cls(nats_url_of(nats_url), org_of(org), channel_name(kind))

    @contextlib.asynccontextmanager
    async def adapter(self) -> AsyncIterator[Adapter]:
        """A connection for the time of the block; errors as connect() raises them."""
        async with connected(self.url) as connection:
            yield Adapter(connection, self)


class Adapter:
    """The worker that answers for a kind of channel; errors as request_command() raises them."""

    def __init__(self, connection: Connection, asked: Asked) -> None:
        self._connection = connection
        self._asked = asked

    async def ask(self, verb: ChannelVerb, body: Body) -> Body:
        """One question."""
        subject = ChannelCommandSubject(self._asked.org, self._asked.channel, verb)
        return await request_command(self._connection, subject, encode(body))

    async def channels(self) -> list[dict[str, Any]]:
        """The org's channels, as lists show them."""
        return maps_in(await self.ask("list", {}), "channels")

    async def id_of(self, text: str) -> str:
        """The id of the channel that somebody named, by id or by name; capitals in names do not matter.

        Raises:
            UnknownChannelError: there is none.
        """
        found = await self.channels()
        for channel in found:
            if channel.get("id") == text:
                return text
        for channel in found:
            if str(channel.get("name")).casefold() == text.casefold():
                return str(channel["id"])
        if _ID.fullmatch(text):
            return text  # half removed perhaps, and to be removed whole
        raise UnknownChannelError(text, org=self._asked.org)


def maps_in(reply: Body, name: str) -> list[dict[str, Any]]:
    """The maps in a reply's list."""
    found = reply.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
