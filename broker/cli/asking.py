"""Commands: one request to whichever linker is there, and its reply."""

from __future__ import annotations

from broker.cli.options import ROLE
from broker.codec import encode
from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Verb
from broker.domain.wire import Body
from broker.transport.commands import request_command
from broker.transport.connection import connect


async def ask(url: str, org: OrgId, verb: Verb, body: Body) -> Body:
    """Connect, ask one thing, and go.

    Raises:
        CommandRefusedError: the linker says no, with its own words.
        NoLinkerError: nobody answers commands.
    """
    async with connect(url, name=ROLE) as connection:
        return await request_command(connection, CommandSubject(org, verb), encode(body))
