"""Takes webhooks: verified, stored, and only then answered; what is none of ours is answered at once.

Source: specs/giosg.md sections 4.3 and 4.4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from broker import codec
from broker.domain import headers as names
from broker.domain.subjects import WebhookOutcome
from broker.domain.webhooks import StoredWebhook, WebhookFacts
from broker.domain.wire import dump
from broker.errors import BackboneError, BodyTooLargeError, BusError, CallRefusedError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher, Stored
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.call_log import CONTENT, CallLog, subject_of
from workers.giosg.hearing.metrics import WEBHOOKS
from workers.giosg.hearing.verifying import PROBE_ACTION, Verified, WebhookKind, message_id, verify

STORE_WAIT_S = 2.0
"""The answer's whole budget: giosg's own patience is not documented."""
STORE_AGAIN_S = 0.1

IsForeign = Callable[[GiosgConnection, str], bool]
"""Whether a chat, by its id, is known to be none of ours: memory alone, nothing is asked."""


@dataclass(slots=True)
class Call:
    """One call, as far as it is known. ``path`` has no query, and no secret."""

    method: str
    path: str
    request_id: str
    received_at_ms: int
    began_s: float
    giosg: GiosgConnection | None = None
    kind: WebhookKind | None = None
    size_bytes: int = 0

    def facts(self, giosg: GiosgConnection, reason: str, status: int, verified: Verified | None = None) -> WebhookFacts:
        """What is kept of it, now that its answer is known."""
        return WebhookFacts(
            connection=giosg.name,
            kind=self.kind,
            action=None if verified is None else verified.call.action,
            resource_id=None if verified is None else verified.call.resource_id,
            method=self.method,
            path=self.path,
            request_id=self.request_id,
            received_at_ms=self.received_at_ms,
            duration_ms=round((time.monotonic() - self.began_s) * 1_000, 3),
            status=status,
            reason=reason,
            size_bytes=self.size_bytes,
        )


class Inbox:
    """Takes calls until the end of its ``async with`` block.

    ``webhook_seen`` is told the connection's name of every webhook that is giosg's, whatever it is about.
    """

    def __init__(
        self,
        connection: Connection,
        publisher: Publisher,
        *,
        is_foreign: IsForeign,
        webhook_seen: Callable[[str], None],
        store_wait_s: float = STORE_WAIT_S,
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._is_foreign = is_foreign
        self._webhook_seen = webhook_seen
        self._store_wait_s = store_wait_s
        self._log = CallLog(connection, publisher)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._log.close()

    async def take(self, call: Call, giosg: GiosgConnection, kind: WebhookKind, data: bytes) -> None:
        """Return when the call may be answered as taken.

        Raises:
            CallRefusedError: it may not; ``unavailable`` if it has to come again.
        """
        call.size_bytes = len(data)
        verified = verify(giosg, kind, data)
        if verified.call.action != PROBE_ACTION:
            self._webhook_seen(giosg.name)
        reason = verified.passed or self._foreign(giosg, verified)
        if reason is None:
            stored = await self._store(call, giosg, verified)
            reason = "duplicate" if stored.duplicate else None
        if reason is None:
            WEBHOOKS.labels(giosg.name, "taken", "stored").inc()
            return
        await self._note(giosg, "passed", call.facts(giosg, reason, 200, verified))

    async def refuse(self, call: Call, reason: str, status: int) -> None:
        """Note that a call was not taken; one to no connection of ours is counted alone: anybody may make these."""
        if call.giosg is None:
            WEBHOOKS.labels("", "refused", reason).inc()
            return
        facts = call.facts(call.giosg, reason, status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            WEBHOOKS.labels(call.giosg.name, "refused", reason).inc()
            self._log.write_later(call.giosg, "refused", facts)
        else:
            await self._note(call.giosg, "refused", facts)

    def _foreign(self, giosg: GiosgConnection, verified: Verified) -> str | None:
        is_foreign = verified.chat_id is not None and self._is_foreign(giosg, verified.chat_id)
        return "foreign_chat" if is_foreign else None

    async def _store(self, call: Call, giosg: GiosgConnection, verified: Verified) -> Stored:
        facts = call.facts(giosg, "stored", 200, verified)
        headers = {**CONTENT, names.MESSAGE_ID: message_id(giosg, verified, now_ms=call.received_at_ms)}
        try:
            body = codec.encode(dump(StoredWebhook(webhook=facts, content=verified.content)))
            async with asyncio.timeout(self._store_wait_s):
                return await self._store_patiently(subject_of(giosg, "taken"), body, headers)
        except BodyTooLargeError:
            raise CallRefusedError("too_large", "the body is longer than one message of the bus") from None
        except (TimeoutError, BackboneError) as error:
            code = error.code if isinstance(error, BackboneError) else "publish_timed_out"
            raise CallRefusedError("unavailable", f"it cannot be stored now ({code}): send it again") from error

    async def _store_patiently(self, subject: str, body: bytes, headers: dict[str, str]) -> Stored:
        """Until the caller's time is up. While the server is away nothing is sent, so nothing piles up in memory."""
        while True:
            await self._connection.wait_connected()
            try:
                return await self._publisher.store(subject, body, headers)
            except BodyTooLargeError:
                raise
            except BusError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(STORE_AGAIN_S)

    async def _note(self, giosg: GiosgConnection, outcome: WebhookOutcome, facts: WebhookFacts) -> None:
        WEBHOOKS.labels(giosg.name, outcome, facts.reason).inc()
        await self._log.write(giosg, outcome, facts)
