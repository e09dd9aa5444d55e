"""One connection per process: connect with clear errors, come back by itself, tell who needs to know."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, OutboundBufferLimitError

from broker.errors import (
    BodyTooLargeError,
    BusError,
    JetStreamMissingError,
    NoAnswerError,
    NoStreamError,
    PermissionRefusedError,
    ServerTooOldError,
    ServerUnreachableError,
)
from broker.transport.address import redacted
from broker.transport.answers import Answers, api_answer
from broker.transport.callbacks import Callback, Callbacks, Ticker
from broker.transport.client import Heard, LeanClient

VERSION_MIN = (2, 14)
"""First with consumer resets; schedules are older."""

CONNECT_WAIT_S = 5.0
RECONNECT_WAIT_S = 0.25
PING_INTERVAL_S = 10
PINGS_OUTSTANDING_MAX = 2
PENDING_BYTES_MAX = 8 << 20
REQUEST_WAIT_S = 5.0
CLOSE_WAIT_S = 2
TICK_S = 0.5
ERRORS_REMEMBERED_MAX = 100

_REFUSED = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]*)\"")
"""nats-py hands the server's words on in lower case, subject included."""

log = structlog.get_logger(__name__)


class Connection:
    """nats-py's client, with requests that always end and callbacks for reconnects.

    ``client`` is the client itself, for what has no method here.
    """

    def __init__(self, url: str) -> None:
        self.client = LeanClient()
        self.url = redacted(url)
        self.name = ""
        self._address = url
        self._answers = Answers()
        self._inbox = ""
        self._reported: set[str] = set()
        self._ready = asyncio.Event()
        self._denied: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._on_reconnect: Callbacks[[]] = Callbacks()
        self._on_closed: Callbacks[[]] = Callbacks()
        self._on_refused: Callbacks[[str]] = Callbacks()
        self._ticker = Ticker(TICK_S)

    @property
    def connected(self) -> bool:
        """Whether the server is there now; readiness follows it."""
        return self.client.is_connected

    @property
    def closed(self) -> bool:
        """Whether it ended for good; until then it comes back by itself."""
        return self.client.is_closed

    def new_inbox(self) -> str:
        """A subject nobody else listens on, under the prefix of this connection's role."""
        return self.client.new_inbox()

    def on_reconnect(self, callback: Callback) -> Callback:
        """Call back after each reconnect; returns what ends that. The callback must not block."""
        return self._on_reconnect.add(callback)

    def on_closed(self, callback: Callback) -> Callback:
        """Call back when the server ended the connection for good (or we did); returns what ends that."""
        return self._on_closed.add(callback)

    def on_refused(self, callback: Callable[[str], None]) -> Callback:
        """Call back with each subject, in lower case, that this user may not publish to; returns what ends that."""
        return self._on_refused.add(callback)

    def watch(self, check: Callback) -> Callback:
        """Call ``check`` twice a second, all of them from one timer; returns what ends that."""
        return self._ticker.add(check)

    async def wait_connected(self) -> None:
        """Return when the server is there; at once if it is."""
        await self._ready.wait()

    async def publish(
        self, subject: str, body: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send and forget; while the server is away, up to 8 MiB wait in memory.

        Raises:
            BodyTooLargeError: over the server's limit.
            BusError: the buffer is full, or the connection is closed.
        """
        try:
            if self.client.send_now(subject, reply, body, headers):
                return
            await self.client.publish(subject, body, reply, headers)  # type: ignore[arg-type] # it is only read
        except MaxPayloadError as error:
            raise BodyTooLargeError(subject, len(body), bytes_max=self.client.max_payload) from error
        except OutboundBufferLimitError as error:
            raise BusError(f"more than {PENDING_BYTES_MAX} bytes wait for the NATS server to come back") from error
        except NatsError as error:
            raise BusError(f"cannot publish to {subject}: {error}") from error

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Hand every message to the callback, one after another; nothing is dropped when it is slow.

        nats-py drops silently beyond its default limits; whoever pulls bounds memory by what it asks for.
        """
        try:
            return await self.client.subscribe(subject, cb=callback, pending_msgs_limit=0, pending_bytes_limit=0)
        except NatsError as error:
            raise BusError(f"cannot subscribe to {subject}: {error}") from error

    async def hear(self, subject: str, heard: Heard) -> Subscription:
        """Call back where a message is read, for callbacks that never wait; a third of the cost."""
        try:
            return await self.client.hear(subject, heard)
        except NatsError as error:
            raise BusError(f"cannot subscribe to {subject}: {error}") from error

    async def request(
        self,
        subject: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        wait_s: float = REQUEST_WAIT_S,
    ) -> Msg:
        """The answer to one request.

        Raises:
            NoAnswerError: not in time, or the connection broke while waiting.
            NoStreamError: nobody listens on that subject.
            PermissionRefusedError: this user may not publish there; comes at once, not after the wait.
        """
        token, answer = self._answers.expect(subject)
        try:
            await self.publish(subject, body, reply=f"{self._inbox}.{token}", headers=headers)
            async with asyncio.timeout(wait_s):
                message = await answer
        except TimeoutError as error:
            raise NoAnswerError(subject, problem=f"nothing came within {wait_s:.1f} s") from error
        finally:
            self._answers.forget(token)
        if message.headers and message.headers.get("Status") == "503":
            raise NoStreamError(subject)
        return message

    async def ask(
        self, api: str, body: Mapping[str, object] | None = None, *, wait_s: float = REQUEST_WAIT_S
    ) -> dict[str, Any]:
        """One call of the JetStream API, ``STREAM.INFO.<name>`` for example, and its answer as JSON.

        Raises:
            RequestRefusedError: the server says why; ``status`` 404 is what is not there.
            JetStreamMissingError: no JetStream on that server or for that account.
        """
        subject = f"$JS.API.{api}"
        try:
            message = await self.request(subject, b"" if body is None else json.dumps(body).encode(), wait_s=wait_s)
        except NoStreamError as error:
            raise JetStreamMissingError(self.url) from error
        return api_answer(message, subject, self.url)

    async def flush(self, wait_s: float = 1.0) -> None:
        """Return when the server has read everything that was sent, or after ``wait_s``."""
        with contextlib.suppress(NatsError, OSError):
            await self.client.flush(timeout=wait_s)  # type: ignore[arg-type] # the float only goes to wait_for()

    async def open(self, name: str, wait_s: float) -> None:
        """Connect and check what we need of the server; see connect()."""
        self.name = name
        prefix = "_INBOX_" + re.sub(r"[^A-Za-z0-9_-]", "_", name)
        opening = asyncio.create_task(
            self.client.connect(
                self._address.split(","),
                name=name,
                inbox_prefix=prefix,
                error_cb=self._error_reported,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._reconnected,
                closed_cb=self._closed,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type] # the float only goes to sleep()
                connect_timeout=CONNECT_WAIT_S,  # type: ignore[arg-type] # the float only goes to wait_for()
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=PINGS_OUTSTANDING_MAX,
                pending_size=PENDING_BYTES_MAX,
            )
        )
        await asyncio.wait((opening, self._denied), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()  # no effect on one that is done
        await asyncio.wait({opening})
        if self._denied.done():
            raise PermissionRefusedError(self._denied.result())
        try:
            opening.result()
        except (asyncio.CancelledError, NatsError, OSError, ValueError) as error:
            raise ServerUnreachableError(self.url) from error
        await self._check_server()

    async def close(self) -> None:
        """Send what waits, then close; never drains, which nats-py may spend 30 s on."""
        self._ticker.stop()
        self._denied.cancel()
        if not self.client.servers:
            return  # the address was unusable, and closing would trip over what connect() never made
        if self._ready.is_set():
            with contextlib.suppress(NatsError, OSError):
                await self.client.flush(timeout=CLOSE_WAIT_S)
        with contextlib.suppress(NatsError, OSError):
            await self.client.close()

    async def _check_server(self) -> None:
        version = self.client.connected_server_version
        if (version.major, version.minor) < VERSION_MIN:
            found = f"version {version.major}.{version.minor}.{version.patch}"
            raise ServerTooOldError(self.url, found, expected=f"{VERSION_MIN[0]}.{VERSION_MIN[1]}")
        self._inbox = self.new_inbox()
        await self.subscribe(f"{self._inbox}.*", self._answers.arrived)
        self._ready.set()
        await self.ask("INFO")

    async def _error_reported(self, error: Exception) -> None:
        """nats-py's error_cb: one line per distinct error until the next reconnect, and no traceback."""
        text = str(error) or type(error).__name__
        if "authorization violation" in text.lower() and not self._denied.done():
            self._denied.set_result("user or password is wrong")
        if refused := _REFUSED.search(text):
            self._refused(refused[1], refused[2])
        if text not in self._reported and len(self._reported) < ERRORS_REMEMBERED_MAX:
            self._reported.add(text)
            report = log.warning if self._inbox else log.debug  # at start the caller gets an exception instead
            report("connection_error_reported", error=text, error_type=type(error).__name__)

    def _refused(self, action: str, subject: str) -> None:
        if action == "subscription":
            self._answers.refuse_subscription(subject)
            return
        self._answers.refuse_publish(subject)
        self._on_refused.call(subject)

    async def _disconnected(self) -> None:
        self._ready.clear()
        self._answers.break_off()
        if not self.client.is_closed:
            log.warning("connection_lost", url=self.url)

    async def _reconnected(self) -> None:
        self._reported.clear()
        self._ready.set()
        log.info("connection_restored", url=self.url)
        self._on_reconnect.call()

    async def _closed(self) -> None:
        self._on_closed.call()


@contextlib.asynccontextmanager
async def connect(url: str, *, name: str, wait_s: float = CONNECT_WAIT_S) -> AsyncIterator[Connection]:
    """A connection that stays: it reconnects for ever once the first attempt succeeded.

    ``url`` may hold several servers of one cluster, with commas between. ``name`` is the role: the server shows it,
    and the inboxes begin with ``_INBOX_<name>``, so that its permissions can name them.

    Raises:
        ServerUnreachableError: nobody answers within ``wait_s``.
        ServerTooOldError: below 2.14.
        JetStreamMissingError: the server runs without it.
        PermissionRefusedError: wrong user or password, or a role that may not even ask.
    """
    connection = Connection(url)
    try:
        await connection.open(name, wait_s)
        yield connection
    finally:
        await connection.close()
