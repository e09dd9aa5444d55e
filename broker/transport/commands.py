"""Request and reply: serving the command verbs as a NATS micro service, and asking them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, ServiceConfig

from broker.codec import decode
from broker.domain.grammar import parse_subject
from broker.domain.subjects import COMMANDS, VERBS, CommandSubject
from broker.domain.wire import Body
from broker.errors import BusError, CommandRefusedError, NoLinkerError, NoStreamError
from broker.transport.connection import REQUEST_WAIT_S, Connection


@dataclass(frozen=True, slots=True)
class Command:
    """One request as it came."""

    subject: str
    data: bytes
    headers: Mapping[str, str]

    @property
    def parsed(self) -> CommandSubject:
        """Org and verb; the subscription lets nothing else in, but the org is outside text.

        Raises:
            InvalidSubjectError: the org is no uuid.
        """
        subject = parse_subject(self.subject)
        assert isinstance(subject, CommandSubject), self.subject  # noqa: S101 - subscribed by verb
        return subject


Answer = Callable[[Command], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def serve_commands(
    connection: Connection, answer: Answer, *, name: str, version: str = "0.1.0"
) -> AsyncIterator[None]:
    """Answer all verbs until the end of the block; several processes share the requests.

    ``answer`` turns its own failures into replies: it must not raise.
    """

    async def handle(request: Request) -> None:
        await request.respond(await answer(Command(request.subject, request.data, request.headers or {})))

    try:
        service = await add_service(
            connection.client, ServiceConfig(name=name, version=version, description="Heimdall's commands")
        )
        for verb in VERBS:
            await service.add_endpoint(EndpointConfig(name=verb, subject=f"{COMMANDS}.org.*.{verb}", handler=handle))
    except NatsError as error:
        raise BusError(f"the commands cannot be served: {error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(NatsError):
            await service.stop()


async def request_command(
    connection: Connection,
    subject: CommandSubject,
    data: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    wait_s: float = REQUEST_WAIT_S,
) -> Body:
    """Ask one thing; the reply.

    Raises:
        CommandRefusedError: the linker says no, with its own code and words.
        NoLinkerError: nobody answers commands.
        NoAnswerError: the linker that took the request did not answer in time.
    """
    try:
        reply = decode((await connection.request(str(subject), data, headers=headers, wait_s=wait_s)).data)
    except NoStreamError as error:
        raise NoLinkerError(subject.verb) from error
    if isinstance(problem := reply.get("error"), dict):
        raise CommandRefusedError(subject.verb, str(problem.get("code")), str(problem.get("message")))
    return reply
