"""Reading from the newest message back, and counting without reading."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker.domain.subjects import DEADLETTERS
from broker.errors import NoStreamError
from broker.transport import backwards
from broker.transport.backwards import count_stored, read_back
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import read_range
from broker.transport.topology import DEADLETTER_STREAM


async def stored(publisher: Publisher, subject: str, count: int) -> list[int]:
    acks = [await publisher.submit(subject, b"%d" % number, {}) for number in range(count)]
    return [ack.sequence for ack in await asyncio.gather(*acks)]


async def test_steps_back_cover_everything_once(connection: Connection, publisher: Publisher, org: str) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    sequences = await stored(publisher, subject, 2 * backwards.WINDOW + 10)
    found: list[int] = []
    covered: list[tuple[int, int]] = []
    async for span, page in read_back(connection, DEADLETTER_STREAM, subject):
        covered.append((span.first, span.last))
        found = [message.sequence for message in page] + found
        if span.first <= sequences[0]:
            break
    assert found == sequences
    assert [first for first, _ in covered[:-1]] == [last + 1 for _, last in covered[1:]]


async def test_reading_back_ends_at_a_moment(connection: Connection, publisher: Publisher, org: str) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    await stored(publisher, subject, 3)
    await asyncio.sleep(0.02)  # two messages need different times; nothing is waited for
    now_ms = time.time_ns() // 1_000_000
    later = await stored(publisher, subject, 2)
    pages = [page async for _, page in read_back(connection, DEADLETTER_STREAM, subject, since_ms=now_ms)]
    assert [message.sequence for page in pages for message in page] == later
    future_ms = now_ms + 60_000
    assert [page async for _, page in read_back(connection, DEADLETTER_STREAM, since_ms=future_ms)] == []


async def test_a_range_begins_at_a_moment(connection: Connection, publisher: Publisher, org: str) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    await stored(publisher, subject, 3)
    await asyncio.sleep(0.02)  # as above
    now_ms = time.time_ns() // 1_000_000
    later = await stored(publisher, subject, 2)
    found = await read_range(connection, DEADLETTER_STREAM, (subject,), limit=10, since_ms=now_ms)
    assert [message.sequence for message in found] == later


async def test_the_server_counts_what_matches(connection: Connection, publisher: Publisher, org: str) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason"
    await stored(publisher, f"{subject}.one", 3)
    await stored(publisher, f"{subject}.two", 2)
    assert await count_stored(connection, DEADLETTER_STREAM, f"{subject}.*") == 5
    assert await count_stored(connection, DEADLETTER_STREAM, f"{subject}.two") == 2
    assert await count_stored(connection, DEADLETTER_STREAM, f"{subject}.three") == 0


async def test_a_stream_that_is_not_there_is_named(connection: Connection) -> None:
    with pytest.raises(NoStreamError, match="NOWHERE"):
        await backwards.span_of(connection, "NOWHERE")
    with pytest.raises(NoStreamError):
        await count_stored(connection, "NOWHERE", "nowhere.>")
