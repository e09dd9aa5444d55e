"""How each connection is, known to all processes: problems are told from anywhere at once, and shared within a second.

Source: specs/giosg.md sections 7.7, 7.9, 7.13, 7.15.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, get_args

import structlog

from broker.codec import decode, encode
from broker.domain.wire import Body, dump, validate
from broker.errors import BackboneError, ChannelError, ConflictError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table
from workers.giosg.calls.request import CallName
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.connection import Connections, GiosgConnection, webhook_urls
from workers.giosg.watching.judging import problem_in, refuted_by
from workers.giosg.watching.metrics import HEALTH, PROBLEMS
from workers.giosg.watching.standing import (
    ADVICE,
    RANKS,
    STATUS_OF,
    ProblemCode,
    Standing,
    with_problem,
    without_problem,
    worst,
)

WEBHOOKS_WAIT_S = 30.0
"""So long after a message that giosg took its echo must have come."""
WEBHOOK_NOTED_S = 5.0
"""How often a process notes for the others that webhooks come."""
LOOK_S = 0.5
TRIES_MAX = 20
PREFIX = "health"

log = structlog.get_logger()


class Health:
    """Telling is instant and never fails; a loop shares what was told, and a table brings what others told.

    ``details`` are our own words: no secret, nothing that people wrote.
    """

    def __init__(
        self,
        connection: Connection,
        records: Records,
        connections: Connections,
        *,
        webhooks_wait_s: float = WEBHOOKS_WAIT_S,
    ) -> None:
        self._records = records
        self._connections = {each.name: each for each in connections.all()}
        self._webhooks_wait_ms = int(webhooks_wait_s * 1_000)
        self._table = Table(connection, records, on_change=self._changed, pattern=f"{PREFIX}.>")
        self._standings: dict[str, Standing] = {}
        self._wishes: dict[str, dict[ProblemCode, str | None]] = {}
        self._webhook_at_ms: dict[str, int] = {}
        self._sent_at_ms: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._table.start()
        for name in self._connections:
            HEALTH.labels(name).set(RANKS.index(self.of(name).status))
        self._task = asyncio.create_task(self._share())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._table.stop()

    def problem(self, connection: str, code: ProblemCode, detail: str = "") -> None:
        """The connection, by its name, has that problem, now or still."""
        if not self.has(connection, code):
            self._wish(connection, code, detail)

    def clear(self, connection: str, code: ProblemCode) -> None:
        """The connection does not have that problem; costs nothing where that was known."""
        if self.has(connection, code):
            self._wish(connection, code, None)

    def outcome(self, connection: GiosgConnection, call: CallName, error: ChannelError | None) -> None:
        """What became of a call, as the client of giosg's API tells of each."""
        name = connection.name
        for code in refuted_by(call, error):
            self.clear(name, code)
        if error is None and call == "send":
            self.message_sent(name)
        if error is not None and (found := problem_in(error)) is not None:
            self.problem(name, found, f"the call {call!r} failed: {error.code}")

    def webhook_seen(self, connection: str) -> None:
        """A verified webhook of the connection's came."""
        self._webhook_at_ms[connection] = now_ms()
        self._sent_at_ms.pop(connection, None)
        self.clear(connection, "no_webhooks")

    def message_sent(self, connection: str) -> None:
        """The echo of a message that giosg took must come within half a minute."""
        if connection in self._connections:
            self._sent_at_ms.setdefault(connection, now_ms())

    def has(self, connection: str, code: ProblemCode) -> bool:
        """Whether the connection has that problem."""
        wish = self._wishes.get(connection, {})
        return wish[code] is not None if code in wish else self.of(connection).has(code)

    def of(self, connection: str) -> Standing:
        """What all processes know of the connection."""
        return self._standings.get(connection, Standing())

    def report(self) -> Body:
        """The answer of ``GET /giosg/health``: no secret is in it."""
        found = {name: self._report_of(connection) for name, connection in sorted(self._connections.items())}
        return {"status": worst(self.of(name).status for name in found), "connections": found}

    def _report_of(self, connection: GiosgConnection) -> Body:
        standing = self.of(connection.name)
        reasons = [
            {
                "code": reason.code,
                "status": STATUS_OF[reason.code],
                "since": moment(reason.since_ms),
                "detail": reason.detail,
                "advice": ADVICE[reason.code],
            }
            for reason in standing.reasons
        ]
        return {
            "status": standing.status,
            "reasons": reasons,
            "last_webhook": moment(standing.webhook_at_ms) if standing.webhook_at_ms else None,
            "expected_webhooks": [each.url for each in webhook_urls(connection)],
        }

    def _wish(self, connection: str, code: ProblemCode, detail: str | None) -> None:
        if connection in self._connections:
            self._wishes.setdefault(connection, {})[code] = detail

    def _changed(self, key: str, value: bytes | None) -> None:
        name = key.removeprefix(f"{PREFIX}.")
        try:
            standing = Standing() if value is None else _standing(value)
        except BackboneError as error:  # written by a newer version
            log.warning("health_not_read", connection=name, error_code=error.code)
            return
        self._standings[name] = standing
        if name in self._connections:
            HEALTH.labels(name).set(RANKS.index(standing.status))

    async def _share(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look_for_echoes()
            for name in self._connections:
                if self._wishes.get(name) or self._webhook_is_news(name):
                    with contextlib.suppress(BackboneError):  # the wish stays, and is tried again
                        await self._write(name)

    def _look_for_echoes(self) -> None:
        for name, sent_at_ms in tuple(self._sent_at_ms.items()):
            if now_ms() - sent_at_ms < self._webhooks_wait_ms:
                continue
            del self._sent_at_ms[name]
            # The echo may be here before the answer of the call that it echoes.
            since_ms = sent_at_ms - self._connections[name].http_timeout_seconds * 1_000
            if max(self.of(name).webhook_at_ms, self._webhook_at_ms.get(name, 0)) < since_ms:
                self.problem(name, "no_webhooks", "no webhook came after a message that giosg took")

    def _webhook_is_news(self, name: str) -> bool:
        noted_at_ms = self.of(name).webhook_at_ms
        is_newer = self._webhook_at_ms.get(name, 0) > noted_at_ms
        return is_newer and now_ms() - noted_at_ms > WEBHOOK_NOTED_S * 1_000

    async def _write(self, name: str) -> None:
        wishes = self._wishes.pop(name, {})
        try:
            await self._change(name, wishes)
        except BackboneError:
            self._wishes[name] = wishes | self._wishes.get(name, {})
            raise

    async def _change(self, name: str, wishes: dict[ProblemCode, str | None]) -> None:
        key = f"{PREFIX}.{name}"
        for _ in range(TRIES_MAX):
            found = await self._records.read(key)
            before = Standing() if found.value is None else _standing(found.value)
            after = _with(before, wishes, webhook_at_ms=self._webhook_at_ms.get(name, 0))
            if after == before:
                self._standings[name] = before
                return
            with contextlib.suppress(ConflictError):
                await self._records.write(key, encode(dump(after)), revision=found.revision)
                self._standings[name] = after
                _tell(name, before, after)
                return
        raise ConflictError(f"the health of connection {name}")


def _with(standing: Standing, wishes: dict[ProblemCode, str | None], *, webhook_at_ms: int) -> Standing:
    for code, detail in wishes.items():
        if detail is None:
            standing = without_problem(standing, code)
        else:
            standing = with_problem(standing, code, detail, now_ms=now_ms())
    if webhook_at_ms > standing.webhook_at_ms:
        return standing.model_copy(update={"webhook_at_ms": webhook_at_ms})
    return standing


def _tell(name: str, before: Standing, after: Standing) -> None:
    for code in get_args(ProblemCode):
        if after.has(code) and not before.has(code):
            PROBLEMS.labels(name, code).inc()
            log.warning("connection_worsened", connection=name, error_code=code, status=after.status)
        elif before.has(code) and not after.has(code):
            log.info("connection_mended", connection=name, error_code=code, status=after.status)


def _standing(value: bytes) -> Standing:
    return validate(Standing, decode(value), what="giosg health")


def moment(at_ms: int) -> str:
    """ISO 8601, UTC, with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
