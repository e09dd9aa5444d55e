"""Readers of the log: from any point, for ever, across a restart; and parts of it without a consumer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import pytest

from broker.domain.subjects import DEADLETTERS, NOTIFICATIONS
from broker.errors import NoStreamError, RequestRefusedError
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.reader import LogReader, StoredMessage, read_one, read_range
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM
from tests.conftest import Eventually


class Seen(list[StoredMessage]):
    """Collects what a reader reads."""

    async def accept(self, message: StoredMessage) -> None:
        self.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [message.data for message in self]


@pytest.fixture
def subject(org: str) -> str:
    return f"{DEADLETTERS}.org.{org}.reason.test"


def reader(connection: Connection, seen: Seen, subject: str, **begin: int | bool) -> LogReader:
    return LogReader(connection, DEADLETTER_STREAM, seen.accept, filters=(subject,), **begin)  # type: ignore[arg-type] # one of the beginnings


async def test_by_default_a_reader_sees_only_what_comes_after_it_started(
    connection: Connection, publisher: Publisher, subject: str, eventually: Eventually
) -> None:
    seen = Seen()
    await publisher.store(subject, b"old")
    async with reader(connection, seen, subject) as log:
        assert log.caught_up.is_set()
        await publisher.store(subject, b"new")
        await eventually(lambda: seen)
    assert seen.bodies == [b"new"]


async def test_a_reader_begins_after_a_sequence_and_knows_when_it_caught_up(
    connection: Connection, publisher: Publisher, subject: str
) -> None:
    seen = Seen()
    sequences = [(await publisher.store(subject, b"%d" % number)).sequence for number in range(5)]
    async with reader(connection, seen, subject, after=sequences[1]) as log:
        await asyncio.wait_for(log.caught_up.wait(), 5)
        assert seen.bodies == [b"2", b"3", b"4"]
        assert log.sequence == sequences[-1]


async def test_a_reader_begins_at_a_moment(connection: Connection, publisher: Publisher, subject: str) -> None:
    seen = Seen()
    await publisher.store(subject, b"old")
    await asyncio.sleep(0.02)  # two messages need different times; nothing is waited for
    now_ms = time.time_ns() // 1_000_000
    await publisher.store(subject, b"new")
    async with reader(connection, seen, subject, since_ms=now_ms) as log:
        await asyncio.wait_for(log.caught_up.wait(), 5)
    assert seen.bodies == [b"new"]


async def test_a_reader_begins_with_the_last_of_each_subject(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    seen = Seen()
    for body in (b"1", b"2", b"3"):
        await publisher.store(f"{DEADLETTERS}.org.{org}.reason.a", b"a" + body)
        await publisher.store(f"{DEADLETTERS}.org.{org}.reason.b", b"b" + body)
    async with reader(connection, seen, f"{DEADLETTERS}.org.{org}.>", last_per_subject=True) as log:
        await asyncio.wait_for(log.caught_up.wait(), 5)
    assert seen.bodies == [b"a3", b"b3"]


async def test_a_reader_of_several_patterns_keeps_the_order_of_the_log(
    connection: Connection, publisher: Publisher, org: str, eventually: Eventually
) -> None:
    seen = Seen()
    patterns = tuple(f"{DEADLETTERS}.org.{org}.reason.{name}" for name in "ab")
    async with LogReader(connection, DEADLETTER_STREAM, seen.accept, filters=patterns):
        for name in "abcba":
            await publisher.store(f"{DEADLETTERS}.org.{org}.reason.{name}", name.encode())
        await eventually(lambda: len(seen) == 4)
    assert seen.bodies == [b"a", b"b", b"b", b"a"]


async def test_a_reader_goes_on_after_a_killed_server_without_gap_or_double(
    tmp_path: Path, subject: str, eventually: Eventually
) -> None:
    seen = Seen()
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher, reader(connection, seen, subject):
            for number in range(100):
                await publisher.store(subject, b"%d" % number)
            await own.kill()
            await own.start()
            await connection.wait_connected()
            for number in range(100, 200):
                await publisher.store(subject, b"%d" % number)
            await eventually(lambda: len(seen) >= 200)
    assert seen.bodies == [b"%d" % number for number in range(200)]


async def test_a_reader_whose_consumer_vanishes_begins_again_where_it_was(
    connection: Connection, publisher: Publisher, subject: str, eventually: Eventually
) -> None:
    seen = Seen()
    async with reader(connection, seen, subject) as log:
        await publisher.store(subject, b"1")
        await eventually(lambda: seen)
        await connection.ask(f"CONSUMER.DELETE.{DEADLETTER_STREAM}.{log._consumer}")
        await publisher.store(subject, b"2")
        await eventually(lambda: seen.bodies == [b"1", b"2"])


async def test_a_slow_reader_loses_nothing(connection: Connection, publisher: Publisher, subject: str) -> None:
    seen = Seen()

    async def slow(message: StoredMessage) -> None:
        await asyncio.sleep(0)
        seen.append(message)

    for future in [await publisher.submit(subject, b"%d" % number) for number in range(2_000)]:
        await future
    log = LogReader(connection, DEADLETTER_STREAM, slow, filters=(subject,), after=0)
    async with log:
        await asyncio.wait_for(log.caught_up.wait(), 10)
    assert seen.bodies == [b"%d" % number for number in range(2_000)]


async def test_a_message_that_accept_cannot_take_does_not_stop_the_reader(
    connection: Connection, publisher: Publisher, subject: str, eventually: Eventually
) -> None:
    seen = Seen()

    async def accept(message: StoredMessage) -> None:
        if message.data == b"poison":
            raise ValueError
        seen.append(message)

    async with LogReader(connection, DEADLETTER_STREAM, accept, filters=(subject,)):
        await publisher.store(subject, b"poison")
        await publisher.store(subject, b"good")
        await eventually(lambda: seen.bodies == [b"good"])


async def test_a_stopped_reader_leaves_no_consumer_behind(connection: Connection, subject: str) -> None:
    async with reader(connection, Seen(), subject) as log:
        name = log._consumer
        assert await connection.ask(f"CONSUMER.INFO.{DEADLETTER_STREAM}.{name}")
    with pytest.raises(RequestRefusedError, match="consumer not found"):
        await connection.ask(f"CONSUMER.INFO.{DEADLETTER_STREAM}.{name}")


async def test_a_reader_of_no_stream_raises_at_the_start(connection: Connection) -> None:
    with pytest.raises(RequestRefusedError, match="stream not found"):
        await LogReader(connection, "NOWHERE", Seen().accept, filters=(">",)).start()


async def test_a_range_is_read_page_by_page_up_to_its_limit(
    connection: Connection, publisher: Publisher, subject: str
) -> None:
    futures = [await publisher.submit(subject, b"%d" % number) for number in range(1_200)]
    sequences = [(await future).sequence for future in futures]
    found = await read_range(connection, DEADLETTER_STREAM, (subject,), after=sequences[9], limit=1_100)
    assert [message.data for message in found] == [b"%d" % number for number in range(10, 1_110)]


async def test_a_range_over_several_patterns_is_in_the_order_of_the_log(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    for name in "abcba":
        await publisher.store(f"{DEADLETTERS}.org.{org}.reason.{name}", name.encode())
    patterns = tuple(f"{DEADLETTERS}.org.{org}.reason.{name}" for name in "ab")
    found = await read_range(connection, DEADLETTER_STREAM, patterns, after=0, limit=3)
    assert [message.data for message in found] == [b"a", b"b", b"b"]


async def test_an_empty_range_is_an_empty_list(connection: Connection, subject: str) -> None:
    assert await read_range(connection, DEADLETTER_STREAM, (subject,), after=0, limit=10) == []


async def test_a_range_of_no_stream_raises(connection: Connection) -> None:
    with pytest.raises(NoStreamError):
        await read_range(connection, "NOWHERE", (">",), after=0, limit=10)


async def test_one_message_is_read_by_its_sequence_with_headers_and_time(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    session = str(uuid4())
    subject = f"{NOTIFICATIONS}.webchat.org.{org}.name.draftshop.sessionuuid.{session}.notification"
    before_ms = time.time_ns() // 1_000_000
    stored = await publisher.store(subject, b"body", {"Heimdall-Stub": "demo.A"})
    message = await read_one(connection, CONVERSATIONS, stored.sequence)
    assert message is not None
    assert (message.public_subject, message.data) == (subject, b"body")
    assert dict(message.headers) == {"Heimdall-Stub": "demo.A"}
    assert before_ms - 1 <= message.stored_at_ms <= time.time_ns() // 1_000_000 + 1


async def test_a_sequence_that_never_was_is_none(connection: Connection) -> None:
    assert await read_one(connection, DEADLETTER_STREAM, 1 << 40) is None
