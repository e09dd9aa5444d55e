"""Publishes always end: stored, refused with the server's reason, or timed out."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from broker.domain.subjects import DEADLETTERS
from broker.errors import (
    BodyTooLargeError,
    BusError,
    ConflictError,
    NoAnswerError,
    NoStreamError,
    PublishRefusedError,
    PublishTimedOutError,
)
from broker.runtime.embedded import nats_server
from broker.transport.connection import PENDING_BYTES_MAX, Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Outgoing, Publisher, Stored, open_publisher
from tests.conftest import Eventually

EXPECTED = "Nats-Expected-Last-Subject-Sequence"


@pytest.fixture
def subject(org: str) -> str:
    return f"{DEADLETTERS}.org.{org}.reason.test"


async def test_messages_are_stored_in_the_order_of_the_calls(publisher: Publisher, subject: str) -> None:
    futures = [await publisher.submit(subject, b"%d" % number) for number in range(3_000)]
    sequences = [(await future).sequence for future in futures]
    assert sequences == sorted(sequences)


async def test_the_same_id_is_stored_once_and_says_so(publisher: Publisher, subject: str) -> None:
    first = await publisher.store(subject, b"", {"Nats-Msg-Id": subject})
    again = await publisher.store(subject, b"", {"Nats-Msg-Id": subject})
    assert not first.duplicate
    assert again == Stored(first.sequence, duplicate=True)


async def test_a_lost_compare_and_set_reaches_the_caller(publisher: Publisher, subject: str) -> None:
    await publisher.store(subject, b"", {EXPECTED: "0"})
    future = await publisher.submit(subject, b"", {EXPECTED: "0"})
    with pytest.raises(ConflictError):
        await future


async def test_a_subject_that_no_stream_takes_is_told_at_once(publisher: Publisher, org: str) -> None:
    with pytest.raises(NoStreamError):
        await asyncio.wait_for(publisher.store(f"nowhere.{org}", b""), 2)


@pytest.mark.parametrize("answer", [b"thanks", b"[]", b"{}", b'"ok"', b'{"error":"no"}'])
async def test_a_subscriber_that_answers_before_the_stream_does_is_not_taken_for_it(
    connection: Connection, publisher: Publisher, subject: str, answer: bytes
) -> None:
    async def reply(message: Msg) -> None:
        await connection.publish(message.reply, answer)

    await connection.subscribe(subject, reply)
    async with asyncio.timeout(10):
        first = await publisher.store(subject, b"first")
        assert (await publisher.store(subject, b"second")).sequence > first.sequence


async def test_messages_in_order_are_all_stored_however_many(publisher: Publisher, subject: str) -> None:
    stored = await publisher.store_in_order([Outgoing(subject, b"%d" % number) for number in range(3_000)])
    assert len(stored) == 3_000
    assert [one.sequence for one in stored] == sorted(one.sequence for one in stored)


async def test_messages_in_order_that_are_too_large_leave_the_window_as_it_was(
    connection: Connection, subject: str
) -> None:
    async with open_publisher(connection, window=4) as publisher:
        messages = [Outgoing(subject, b""), Outgoing(subject, b"x" * 2_000_000), Outgoing(subject, b"")]
        for _ in range(5):
            with pytest.raises(BodyTooLargeError):
                await publisher.store_in_order(messages)
        assert len(await asyncio.wait_for(publisher.store_in_order([messages[0]] * 4), 5)) == 4


async def test_a_failure_that_nobody_waits_for_is_not_logged_with_its_subject(publisher: Publisher, org: str) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    future = await publisher.submit(f"nowhere.{org}", b"")
    await asyncio.wait({future})
    del future
    gc.collect()
    assert told == []


async def test_a_header_that_the_stream_cannot_read_is_refused_for_good(publisher: Publisher, subject: str) -> None:
    with pytest.raises(PublishRefusedError) as caught:
        await publisher.store(subject, b"", {"Nats-TTL": "soon"})
    assert not caught.value.retryable


async def test_a_body_over_the_servers_limit_never_leaves(publisher: Publisher, subject: str) -> None:
    with pytest.raises(BodyTooLargeError):
        await publisher.store(subject, b"x" * (2 << 20))


async def test_the_window_bounds_what_is_on_its_way(connection: Connection, subject: str) -> None:
    async with open_publisher(connection, window=8) as publisher:
        futures = [await publisher.submit(subject, b"") for _ in range(50)]
        assert sum(not future.done() for future in futures) <= 8
        await asyncio.gather(*futures)


async def test_publishes_in_flight_end_when_the_server_is_killed(tmp_path: Path, org: str) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, timeout_s=0.5) as publisher:
            futures = [await publisher.submit(subject, b"%d" % number) for number in range(500)]
            await own.kill()
            ended = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)
            assert {type(one) for one in ended} <= {Stored, NoAnswerError, PublishTimedOutError}


async def test_publishes_in_flight_end_when_the_server_is_back_and_not_with_their_time(
    tmp_path: Path, org: str
) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, timeout_s=3_600) as publisher:
            futures = [await publisher.submit(subject, b"%d" % number) for number in range(500)]
            await own.kill()
            await own.start()
            ended = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 10)
            assert {type(one) for one in ended} <= {Stored, NoAnswerError}


def stands_still(pid: int) -> bool:
    """Whether every thread of a process has been stopped; the signal alone takes a moment."""
    return all("\nState:\tT" in (task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir())


async def test_a_publish_that_was_lost_with_its_connection_ends_soon_after_the_reconnect(
    tmp_path: Path, org: str, eventually: Eventually
) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, timeout_s=600) as publisher:
            assert own.pid is not None
            os.kill(own.pid, signal.SIGSTOP)  # it takes the message in, and never gets to it
            pid = own.pid
            await eventually(lambda: stands_still(pid))
            future = await publisher.submit(subject, b"lost")
            await asyncio.sleep(0.1)  # it has left our buffer, which a reconnect would send once more
            await own.kill()
            await own.start()
            await eventually(future.done, within_s=10)
            assert isinstance(future.exception(), BusError)


async def test_what_was_published_while_the_server_was_away_is_stored_when_it_is_back(
    tmp_path: Path, org: str, eventually: Eventually
) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, timeout_s=10) as publisher:
            await own.kill()
            await eventually(lambda: not connection.connected)
            future = await publisher.submit(subject, b"waited")
            await own.start()
            assert (await future).sequence > 0


async def test_a_full_buffer_while_the_server_is_away_is_an_error_to_retry(
    tmp_path: Path, org: str, eventually: Eventually
) -> None:
    subject = f"{DEADLETTERS}.org.{org}.reason.test"
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, timeout_s=1) as publisher:
            await own.kill()
            await eventually(lambda: not connection.connected)
            for _ in range(PENDING_BYTES_MAX // 1_000_000):
                await publisher.submit(subject, b"x" * 1_000_000)
            with pytest.raises(BusError, match="wait for the NATS server") as caught:
                await publisher.submit(subject, b"x" * 1_000_000)
            assert caught.value.retryable
