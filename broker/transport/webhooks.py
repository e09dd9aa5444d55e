"""The calls of outside systems as they are kept: the newest, one of them, and what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.codec import decode
from broker.domain.grammar import parse_subject
from broker.domain.ids import ConnectionName, OrgId
from broker.domain.subjects import WEBHOOKS, WebhookOutcome, WebhookSubject
from broker.domain.webhooks import StoredWebhook
from broker.domain.wire import validate
from broker.errors import BackboneError
from broker.transport.backwards import read_back
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_one
from broker.transport.topology import WEBHOOK_STREAM


@dataclass(frozen=True, slots=True)
class KeptCall:
    """One call; ``sequence`` is its number."""

    sequence: int
    subject: WebhookSubject
    stored: StoredWebhook


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls are meant; what is None does not matter."""

    org: OrgId
    connection: ConnectionName | None = None
    outcome: WebhookOutcome | None = None
    since_ms: int | None = None

    @property
    def pattern(self) -> str:
        """Of their stored subjects."""
        connection, outcome = self.connection or "*", self.outcome or "*"
        return f"p.*.{WEBHOOKS}.org.{self.org}.channel.*.connection.{connection}.{outcome}"


async def newest_calls(connection: Connection, selection: Selection, *, limit: int) -> tuple[list[KeptCall], bool]:
    """The last ``limit`` calls, oldest first, and whether there are older ones."""
    found: list[KeptCall] = []
    async for calls in _backwards(connection, selection):
        found = [*calls, *found]
        if len(found) > limit:
            return found[-limit:], True
    return found, False


async def one_call(connection: Connection, sequence: int) -> KeptCall | None:
    """The call with that number, None if it is gone, never was, or cannot be read."""
    message = await read_one(connection, WEBHOOK_STREAM, sequence)
    return None if message is None else read_call(message)


def read_call(message: StoredMessage) -> KeptCall | None:
    """A stored message as a call; None for what a newer worker, or somebody else, has put there."""
    try:
        subject = parse_subject(message.public_subject)
        stored = validate(StoredWebhook, decode(message.data), what="webhook")
    except BackboneError:
        return None
    return KeptCall(message.sequence, subject, stored) if isinstance(subject, WebhookSubject) else None


async def _backwards(connection: Connection, selection: Selection) -> AsyncIterator[list[KeptCall]]:
    pages = read_back(connection, WEBHOOK_STREAM, selection.pattern, since_ms=selection.since_ms)
    async for _, messages in pages:
        yield [call for message in messages if (call := read_call(message)) is not None]
