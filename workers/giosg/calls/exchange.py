"""Makes one connection's calls: paced, tried again where that may help, classified, counted.

Source: specs/giosg.md sections 3.1 and 3.14.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import stamina
import structlog

from broker.errors import ChannelError, CredentialsRefusedError
from broker.runtime.outbound_http import Answer, Call, OutboundHttp
from workers.giosg.calls.metrics import CALLS, RETRIES, THROTTLED
from workers.giosg.calls.outcomes import TOO_MANY, Model, asked_wait_s, failure_of, parsed, read
from workers.giosg.calls.pace import WAITED_S_MAX, Pace
from workers.giosg.calls.request import BEST_EFFORT, CallName, Request, next_path
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.wire import Page

ANSWER_BYTES_MAX = 4 << 20
CONNECT_WAIT_S = 5.0
FIRST_PAUSE_S, PAUSE_S_MAX, JITTER_S = 0.5, 8.0, 0.25
"""Half a second, one, two, four; each a little longer by chance, so that not all come back at once."""
BEST_EFFORT_RETRIES = 1
PAGES_MAX = 100
PROBE_WAIT_S = 60.0
"""So often an API token is tried that giosg did not take."""

T = TypeVar("T")
AskPage = Callable[[Request], Awaitable[Page]]
OnOutcome = Callable[[GiosgConnection, CallName, ChannelError | None], None]
"""Told what became of each call, its retries included; None: it was done. It must not fail."""

log = structlog.get_logger()


class Exchange:
    """One per connection and process."""

    def __init__(
        self,
        connection: GiosgConnection,
        http: OutboundHttp,
        *,
        on_outcome: OnOutcome | None = None,
        probe_wait_s: float = PROBE_WAIT_S,
    ) -> None:
        self.connection = connection
        self._http = http
        self._on_outcome = on_outcome
        self._probe_wait_s = probe_wait_s
        self._pace = Pace(at_once_max=connection.max_concurrent_requests)
        self._refused_until_s = 0.0
        self._refused_with = 0

    def place(self, name: CallName) -> str:
        """How a call is named in errors."""
        return f"giosg ({name} of connection {self.connection.name})"

    async def call(self, request: Request) -> None:
        """Make a call whose answer holds nothing of interest.

        Raises:
            ChannelError: it was not done, or (``may_be_taken``) nobody knows; what may pass was waited for already.
        """
        await self._told(request, self._call(request))

    async def ask(self, request: Request, model: type[Model]) -> Model:
        """As call(); what was answered.

        Raises:
            AnswerIncompleteError: it is no JSON, or not what it should be.
        """
        return await self._told(request, self._read(request, model))

    async def collect(self, request: Request, ask: AskPage) -> list[Any]:
        """What all pages of a collection hold, each got by ``ask``.

        Raises:
            AnswerIncompleteError: a page is none, or leads to another host.
        """
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            page = await ask(request)
            found += page.results
            if page.next is None:
                return found
            to, here = self.place(request.name), request.path
            request = request.at(next_path(to, self.connection.base_url, here, page.next))
        log.warning("giosg_pages_cut", connection=self.connection.name, call=request.name, pages_max=PAGES_MAX)
        return found

    async def _told(self, request: Request, made: Awaitable[T]) -> T:
        try:
            found = await made
        except ChannelError as error:
            self._tell(request.name, error)
            raise
        self._tell(request.name, None)
        return found

    def _tell(self, name: CallName, error: ChannelError | None) -> None:
        CALLS.labels(self.connection.name, name, "ok" if error is None else error.code).inc()
        if error is not None:
            log.debug("giosg_call_failed", connection=self.connection.name, call=name, error_code=error.code)
        if self._on_outcome is not None:
            self._on_outcome(self.connection, name, error)

    async def _read(self, request: Request, model: type[Model]) -> Model:
        answer, to = await self._call(request), self.place(request.name)
        return read(model, parsed(to, request, answer), to=to, is_done=request.is_once)

    async def _call(self, request: Request) -> Answer:
        retries = self.connection.max_retries
        if request.name in BEST_EFFORT:
            retries = min(retries, BEST_EFFORT_RETRIES)
        async for attempt in _tries(request, retries + 1):
            with attempt:
                if attempt.num > 1:
                    RETRIES.labels(self.connection.name, request.name).inc()
                return await self._try(request)
        raise AssertionError("stamina raises the last error")  # pragma: no cover

    async def _try(self, request: Request) -> Answer:
        to, wait_s = self.place(request.name), self.connection.http_timeout_seconds
        headers = {"Authorization": f"{request.scheme} {request.credential}"} if request.scheme is not None else {}
        content = None if request.body is None else json.dumps(request.body).encode() if request.body else b""
        url = self.connection.base_url + request.path
        call = Call(
            to, request.method, url, headers, content, ANSWER_BYTES_MAX, wait_s, min(CONNECT_WAIT_S, wait_s / 2)
        )
        async with self._pace.turn(to):
            self._check_credentials(to, request)
            answer = await self._http.call(call)
            self._look(request, answer)
        if (failure := failure_of(to, request, answer, self._secrets(request))) is not None:
            raise failure
        return answer

    def _check_credentials(self, to: str, request: Request) -> None:
        if request.scheme == "Token" and time.monotonic() < self._refused_until_s:
            problem = "the API token was refused a moment ago, and is tried again once a minute"
            raise CredentialsRefusedError(to, status=self._refused_with, problem=problem)

    def _look(self, request: Request, answer: Answer) -> None:
        """What an answer says about all calls of the connection."""
        name = self.connection.name
        if answer.status == TOO_MANY:
            wait_s = asked_wait_s(answer)
            self._pace.be_quiet(wait_s or FIRST_PAUSE_S)
            THROTTLED.labels(name).inc()
            log.warning("giosg_throttles", connection=name, call=request.name, wait_s=wait_s)
        # A token that may not look at one chat may still be good; one that may not look at the room is not.
        elif request.scheme == "Token" and (answer.status == 401 or (answer.status == 403 and request.name == "room")):
            self._refused_until_s, self._refused_with = time.monotonic() + self._probe_wait_s, answer.status
            log.error("giosg_api_token_refused", connection=name, call=request.name, status=answer.status)

    def _secrets(self, request: Request) -> tuple[str, ...]:
        own = (request.credential, *(value for value in (request.body or {}).values() if isinstance(value, str)))
        return (*self.connection.secrets, *own)


def _tries(request: Request, calls_max: int) -> AsyncIterator[stamina.Attempt]:
    def pause(error: Exception) -> bool | float:
        if not isinstance(error, ChannelError) or not error.retryable or (request.is_once and error.may_be_taken):
            return False
        return error.retry_after_s <= WAITED_S_MAX and (error.retry_after_s or True)

    found = stamina.retry_context(
        on=pause,
        attempts=calls_max,
        timeout=None,
        wait_initial=FIRST_PAUSE_S,
        wait_max=PAUSE_S_MAX,
        wait_jitter=JITTER_S,
    )
    return found.__aiter__()
