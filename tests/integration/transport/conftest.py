"""What the tests of pull loops share: a consumer of one org alone, and messages for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from broker.domain.subjects import NOTIFICATIONS
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_consumers
from broker.transport.publisher import open_publisher
from broker.transport.topology import CONVERSATIONS, ConsumerSpec


def subject_of(org: str, session: str) -> str:
    return f"{NOTIFICATIONS}.webchat.org.{org}.name.draftshop.sessionuuid.{session}.webchatmessagetype.message"


@pytest_asyncio.fixture
async def consumer(connection: Connection, org: str) -> AsyncIterator[str]:
    """A durable consumer of this test's org alone, on the session's server."""
    name = f"test-{org}"
    spec = ConsumerSpec(name, (f"*.*.{NOTIFICATIONS}.*.org.{org}.>",))
    await ensure_consumers(connection, CONVERSATIONS, [spec])
    yield name
    await connection.ask(f"CONSUMER.DELETE.{CONVERSATIONS}.{name}")


async def store(connection: Connection, org: str, count: int) -> None:
    async with open_publisher(connection) as publisher:
        for number in range(count):
            await publisher.store(subject_of(org, str(uuid4())), b"%d" % number)
