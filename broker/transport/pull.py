"""The pull loop of a worker: one durable consumer, always in stream order, whatever breaks in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from broker.errors import NoAnswerError
from broker.transport.client import NO_HEADERS, Message
from broker.transport.connection import Connection
from broker.transport.keeper import Keeper
from broker.transport.requests import EXPIRES_S, Position, PullRequests, public_subject

BATCH = 200
"""Must stay below the consumer's max_ack_pending."""

RESET_WAIT_S = 2.0


class Delivery:
    """One message handed over by a consumer, to be settled once: ack() or terminate().

    ``generation`` counts the takes of its loop; a delivery of an older one will come again.
    """

    __slots__ = (
        "_loop",
        "_reply",
        "attempt",
        "data",
        "generation",
        "headers",
        "is_parked",
        "sequence",
        "stored_at_ms",
        "subject",
    )

    def __init__(self, loop: PullLoop, message: Message, position: Position) -> None:
        self._loop = loop
        self._reply = message.reply
        self.subject = message.subject
        self.data = message.data
        self.headers: Mapping[str, str] = message.headers
        self.sequence = position.sequence
        self.attempt = position.attempt
        self.stored_at_ms = position.stored_at_ms
        self.generation = loop.generation
        self.is_parked = False

    @property
    def public_subject(self) -> str:
        """The subject as it was published, without its partition."""
        return public_subject(self.subject)

    @property
    def stale(self) -> bool:
        """Whether the consumer was taken again since: the same message comes (or came) once more."""
        return self.generation != self._loop.generation

    def adopt(self, copy: Delivery) -> None:
        """Settle the copy in place of this one: the server waits for that one now."""
        self._reply = copy._reply
        self.generation = copy.generation
        self.attempt = copy.attempt

    def park(self) -> None:
        """Keep the address alone: what is in it can be read from the stream again."""
        self.subject, self.data, self.headers, self.is_parked = "", b"", NO_HEADERS, True

    def fill(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Be whole again."""
        self.subject, self.data, self.headers, self.is_parked = subject, data, headers, False

    async def ack(self) -> None:
        """Done; the server is told without waiting for it, so a repetition stays possible."""
        connection = self._loop.connection
        if not connection.client.send_now(self._reply, "", b"", None):
            await connection.publish(self._reply, b"")

    async def in_progress(self) -> None:
        """Ask for another ack_wait of time."""
        await self._loop.connection.publish(self._reply, b"+WPI")

    async def terminate(self, reason: str) -> None:
        """Never again; the reason goes into the server's advisory."""
        await self._loop.connection.publish(self._reply, f"+TERM {reason}".encode())


class PullLoop:
    """Hands every message of a durable consumer to ``accept``, one after another, in the order of the stream.

    The consumer is *taken* at the start, after each reconnect, after silence and after a gap: it is reset, so that
    everything above its acknowledgement floor comes again, in order. Without that, a message lost on the way comes
    after its successors, ack_wait later. ``on_retake`` is called with the generation before the reset.

    ``expires_s`` is how long a request of a process that hangs still takes messages from the next owner.

    ``accept`` may block to slow the loop down; who needs more than ack_wait calls in_progress().
    """

    def __init__(  # noqa: PLR0913 - the last two have a default that fits all but leased consumers
        self,
        connection: Connection,
        stream: str,
        consumer: str,
        accept: Callable[[Delivery], Awaitable[None]],
        *,
        batch: int = BATCH,
        expires_s: float = EXPIRES_S,
        on_retake: Callable[[int], None] | None = None,
    ) -> None:
        self.connection = connection
        self.generation = 0
        self._stream = stream
        self._consumer = consumer
        self._accept = accept
        self._batch = batch
        self._expires_s = expires_s
        self._on_retake = on_retake
        self._keeper = Keeper(connection, consumer, self._take)

    async def start(self) -> None:
        """Take the consumer, and keep it from then on.

        Raises:
            RequestRefusedError: no such consumer.
            PermissionRefusedError: this user may not reset it, or pull from it.
        """
        await self._keeper.start()

    async def stop(self) -> None:
        """Take nothing more; what was accepted can still be settled."""
        await self._keeper.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _take(self) -> PullRequests:
        self.generation += 1
        if self._on_retake is not None:
            self._on_retake(self.generation)
        await self._reset()
        requests = PullRequests(
            self.connection,
            self._stream,
            self._consumer,
            self._received,
            batch=self._batch,
            expires_s=self._expires_s,
        )
        await requests.open()
        return requests

    async def _reset(self) -> None:
        try:
            await self.connection.ask(f"CONSUMER.RESET.{self._stream}.{self._consumer}", wait_s=RESET_WAIT_S)
        except NoAnswerError:
            # The server is silent about a consumer that does not exist; asked for its state it says so.
            await self.connection.ask(f"CONSUMER.INFO.{self._stream}.{self._consumer}")
            raise

    async def _received(self, message: Message, position: Position) -> None:
        await self._accept(Delivery(self, message, position))
