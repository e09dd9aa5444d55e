"""Reading a stream without touching anyone's place in it: follow it for ever, or fetch a part."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.errors import BackboneError, BusError, NoAnswerError, NoStreamError, RequestRefusedError
from broker.transport.client import Message
from broker.transport.connection import REQUEST_WAIT_S, Connection
from broker.transport.keeper import Keeper
from broker.transport.requests import SECOND_NS, Position, PullRequests, public_subject

READ_BATCH = 500
RANGE_BATCH = 500
INACTIVE_S = 60
SEQUENCE_MAX = 2**63 - 1
"""The server drops a reader's consumer after this much silence."""

OWN_HEADERS = frozenset(
    ("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence")
)
"""What the server adds to a message that it hands out directly."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of a stream; ``subject`` as stored, with its partition."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    stored_at_ms: int

    @property
    def public_subject(self) -> str:
        """The subject as it was published, without its partition."""
        return public_subject(self.subject)


class LogReader:
    """Follows a stream in order and without gap, for ever; each message goes to ``accept``, one after another.

    Begins after the sequence ``after``, or at the moment ``since_ms``, or with the last message of each subject, or
    (given none of these) with what comes from now on. ``filters`` speak of stored subjects, partition first.
    ``caught_up`` is set once everything stored at the start was accepted. ``accept`` may block: the server waits.
    What it raises is logged, and the message counts as read.
    """

    def __init__(  # noqa: PLR0913 - three of them are one choice: where to begin
        self,
        connection: Connection,
        stream: str,
        accept: Callable[[StoredMessage], Awaitable[None]],
        *,
        filters: tuple[str, ...],
        after: int | None = None,
        since_ms: int | None = None,
        last_per_subject: bool = False,
    ) -> None:
        self.caught_up = asyncio.Event()
        self.sequence = after
        self._connection = connection
        self._stream = stream
        self._accept = accept
        self._filters = filters
        self._since_ms = since_ms
        self._last_per_subject = last_per_subject
        self._consumer = ""
        self._keeper = Keeper(connection, f"reader of {stream}", self._take)

    async def start(self) -> None:
        """Begin; returns when the server knows where, so nothing published after this call is missed.

        Raises:
            RequestRefusedError: no such stream, or a filter it cannot read.
            PermissionRefusedError: this user may not read it.
        """
        await self._keeper.start()

    async def stop(self) -> None:
        """End, and let the server forget the reader."""
        await self._keeper.stop()
        await self._drop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _take(self) -> PullRequests:
        await self._drop()
        name = self._connection.new_inbox().rsplit(".", 1)[1]
        body = {"stream_name": self._stream, "config": {"name": name, **self._configuration()}}
        # With its one filter in the subject, permissions can say who may read what.
        place = f".{self._filters[0]}" if len(self._filters) == 1 else ""
        answer = await self._connection.ask(f"CONSUMER.CREATE.{self._stream}.{name}{place}", body)
        self._consumer = name
        if self.sequence is None and self._since_ms is None and not self._last_per_subject:
            self.sequence = int(answer["delivered"]["stream_seq"])
        if answer["num_pending"] == 0:
            self.caught_up.set()
        requests = PullRequests(self._connection, self._stream, name, self._received, batch=READ_BATCH)
        await requests.open()
        return requests

    def _configuration(self) -> dict[str, object]:
        filters = self._filters
        return {
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": INACTIVE_S * SECOND_NS,
            **({"filter_subject": filters[0]} if len(filters) == 1 else {"filter_subjects": list(filters)}),
            **self._beginning(),
        }

    def _beginning(self) -> dict[str, object]:
        if self.sequence is not None:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self.sequence + 1}
        if self._since_ms is not None:
            return {"deliver_policy": "by_start_time", "opt_start_time": _moment(self._since_ms)}
        return {"deliver_policy": "last_per_subject" if self._last_per_subject else "new"}

    async def _drop(self) -> None:
        """Spare the server a consumer that nobody reads; without this it would keep it for a minute."""
        consumer, self._consumer = self._consumer, ""
        if self._connection.connected and consumer:
            with contextlib.suppress(BackboneError):
                await self._connection.ask(f"CONSUMER.DELETE.{self._stream}.{consumer}")

    async def _received(self, message: Message, position: Position) -> None:
        if self.sequence is None or position.sequence > self.sequence:
            stored = StoredMessage(
                message.subject, message.data, message.headers, position.sequence, position.stored_at_ms
            )
            try:
                await self._accept(stored)
            except Exception:
                log.exception("message_not_read", stream=self._stream, sequence=position.sequence)
            self.sequence = position.sequence
        if position.pending == 0:
            self.caught_up.set()


async def read_range(
    connection: Connection,
    stream: str,
    filters: tuple[str, ...],
    *,
    limit: int,
    after: int = 0,
    since_ms: int | None = None,
) -> list[StoredMessage]:
    """The first ``limit`` messages above the sequence ``after``, oldest first, without a consumer.

    With ``since_ms`` the beginning is that moment instead.

    Raises:
        NoStreamError: no such stream, or it allows no direct reads.
    """
    begin = {"seq": after + 1} if since_ms is None else {"start_time": _moment(since_ms)}
    found: list[StoredMessage] = []
    for pattern in filters:
        found.extend(await _read_pattern(connection, stream, pattern, begin, limit))
    return sorted(found, key=lambda message: message.sequence)[:limit]


async def read_one(connection: Connection, stream: str, sequence: int) -> StoredMessage | None:
    """The message with that sequence, None if it is gone or never was."""
    if not 0 < sequence <= SEQUENCE_MAX:
        return None  # the server refuses such a number instead of not finding it
    subject = f"$JS.API.DIRECT.GET.{stream}"
    return _stored(subject, await connection.request(subject, json.dumps({"seq": sequence}).encode()))


async def last_sequence(connection: Connection, stream: str) -> int:
    """The sequence of the last message that the stream took, 0 if none."""
    answer = await connection.ask(f"STREAM.INFO.{stream}")
    return int(answer["state"]["last_seq"])


async def _read_pattern(
    connection: Connection, stream: str, pattern: str, begin: Mapping[str, object], limit: int
) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    while (wanted := min(limit - len(found), RANGE_BATCH)) > 0:
        page = await _read_page(connection, stream, {**begin, "next_by_subj": pattern, "batch": wanted})
        found.extend(page)
        if len(page) < wanted:
            break
        begin = {"seq": page[-1].sequence + 1}
    return found


async def _read_page(connection: Connection, stream: str, request: Mapping[str, object]) -> list[StoredMessage]:
    """One batched direct get: messages, then an end mark."""
    subject = f"$JS.API.DIRECT.GET.{stream}"
    inbox = connection.new_inbox()
    found: list[StoredMessage] = []
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def received(message: Msg) -> None:
        try:
            stored = _stored(subject, message)
        except BusError as error:
            if not ended.done():
                ended.set_exception(error)
            return
        if stored is not None:
            found.append(stored)
        elif not ended.done():
            ended.set_result(None)

    subscription = await connection.subscribe(inbox, received)
    try:
        await connection.publish(subject, json.dumps(request).encode(), reply=inbox)
        async with asyncio.timeout(REQUEST_WAIT_S):
            await ended
    except TimeoutError as error:
        raise NoAnswerError(subject, problem=f"no end of the batch within {REQUEST_WAIT_S:.1f} s") from error
    finally:
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()
    return found


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def _stored(subject: str, message: Msg) -> StoredMessage | None:
    """A directly read message; None for "not there" and for the end mark."""
    headers = message.headers or {}
    if "Nats-Sequence" not in headers:
        status = headers.get("Status", "500")
        if status in {"204", "404"}:
            return None
        if status == "503":
            raise NoStreamError(subject)
        raise RequestRefusedError(subject, int(status), 0, headers.get("Description", ""))
    kept = {name: value for name, value in headers.items() if name not in OWN_HEADERS}
    moment = datetime.fromisoformat(headers["Nats-Time-Stamp"])
    return StoredMessage(
        headers["Nats-Subject"], message.data, kept, int(headers["Nats-Sequence"]), int(moment.timestamp() * 1000)
    )
