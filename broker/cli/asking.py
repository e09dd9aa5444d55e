"""Commands: one request to whichever linker is there, and its reply."""

from __future__ import annotations

from collections.abc import Mapping

from broker.cli.options import ROLE
from broker.codec import decode, encode
from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Verb
from broker.domain.wire import Body
from broker.errors import CommandRefusedError, NoLinkerError, NoStreamError
from broker.transport.connection import Connection, connect


async def ask(url: str, org: OrgId, verb: Verb, body: Body) -> Body:
    """Connect, ask one thing, and go.

    Raises:
        CommandRefusedError: the linker says no, with its own words.
        NoLinkerError: nobody answers commands.
    """
    async with connect(url, name=ROLE) as connection:
        return await request(connection, CommandSubject(org, verb), encode(body))


async def request(
    connection: Connection, subject: CommandSubject, data: bytes, headers: Mapping[str, str] | None = None
) -> Body:
    """Ask one thing on an open connection; see ask()."""
    try:
        reply = decode((await connection.request(str(subject), data, headers=headers)).data)
    except NoStreamError as error:
        raise NoLinkerError(subject.verb) from error
    if isinstance(problem := reply.get("error"), dict):
        raise CommandRefusedError(subject.verb, str(problem.get("code")), str(problem.get("message")))
    return reply
