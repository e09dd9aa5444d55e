"""How the commands come to the bus: a connection for a short while, and one question to a linker."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from broker.codec import encode
from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Verb
from broker.domain.wire import Body
from broker.transport.commands import request_command
from broker.transport.connection import Connection, connect

ROLE = "developer"
"""How the server shows our connections, and what the names of our inboxes begin with."""
CONNECT_WAIT_S = 2.0
"""A person waits for it."""


def connected(url: str) -> AbstractAsyncContextManager[Connection]:
    """A connection for the time of the block; errors as connect() raises them."""
    return connect(url, name=ROLE, wait_s=CONNECT_WAIT_S)


async def ask(url: str, org: OrgId, verb: Verb, body: Body) -> Body:
    """Connect, ask one thing, and go; errors as request_command() raises them."""
    async with connected(url) as connection:
        return await request_command(connection, CommandSubject(org, verb), encode(body))
