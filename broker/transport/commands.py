"""Request and reply: serving commands as a NATS micro service, and asking them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, ServiceConfig

from broker.codec import decode
from broker.domain.grammar import parse_subject
from broker.domain.ids import ChannelName
from broker.domain.subjects import (
    COMMANDS,
    MANAGING_VERBS,
    VERBS,
    ChannelCommandSubject,
    ChannelVerb,
    CommandSubject,
)
from broker.domain.wire import Body
from broker.errors import BusError, CommandRefusedError, NoStreamError, NoWorkerError
from broker.transport.connection import REQUEST_WAIT_S, Connection

LINKER_VERBS: Mapping[str, str] = {verb: f"{COMMANDS}.org.*.{verb}" for verb in VERBS}
"""What a linker answers: the name of each endpoint, and the subjects that reach it."""


def channel_verbs(channel: ChannelName, verbs: Sequence[ChannelVerb] = MANAGING_VERBS) -> Mapping[str, str]:
    """What the adapter of a channel answers, in the same form; who answers other verbs than the usual names them."""
    return {verb: f"{COMMANDS}.org.*.channel.{channel}.{verb}" for verb in verbs}


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

    @property
    def parsed_for_channel(self) -> ChannelCommandSubject:
        """The same of a command about channels.

        Raises:
            InvalidSubjectError: the org is no uuid.
        """
        subject = parse_subject(self.subject)
        assert isinstance(subject, ChannelCommandSubject), self.subject  # noqa: S101 - subscribed by verb
        return subject


Answer = Callable[[Command], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def serve_commands(
    connection: Connection,
    answer: Answer,
    *,
    name: str,
    endpoints: Mapping[str, str] = LINKER_VERBS,
    version: str = "0.1.0",
) -> AsyncIterator[None]:
    """Answer all endpoints until the end of the block; several processes share the requests.

    ``answer`` turns its own failures into replies: it must not raise.
    """

    async def handle(request: Request) -> None:
        await request.respond(await answer(Command(request.subject, request.data, request.headers or {})))

    try:
        service = await add_service(
            connection.client, ServiceConfig(name=name, version=version, description="Heimdall's commands")
        )
        for endpoint, subject in endpoints.items():
            await service.add_endpoint(EndpointConfig(name=endpoint, subject=subject, handler=handle))
        await connection.flush()  # who hears that this worker is ready may ask at once
    except NatsError as error:
        raise BusError(f"the commands cannot be served: {error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(NatsError):
            await service.stop()


async def request_command(
    connection: Connection,
    subject: CommandSubject | ChannelCommandSubject,
    data: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    wait_s: float = REQUEST_WAIT_S,
) -> Body:
    """Ask one thing; the reply.

    Raises:
        CommandRefusedError: the worker says no, with its own code and words.
        NoWorkerError: nobody answers such commands.
        NoAnswerError: the worker that took the request did not answer in time.
    """
    try:
        reply = decode((await connection.request(str(subject), data, headers=headers, wait_s=wait_s)).data)
    except NoStreamError as error:
        worker = subject.channel if isinstance(subject, ChannelCommandSubject) else "linker"
        raise NoWorkerError(subject.verb, worker=worker) from error
    if isinstance(problem := reply.get("error"), dict):
        fields = problem.get("fields")
        code, message = str(problem.get("code")), str(problem.get("message"))
        raise CommandRefusedError(subject.verb, code, message, fields=fields if isinstance(fields, dict) else None)
    return reply
