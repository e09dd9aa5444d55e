"""The worker loop on the real server: order per lane, retries in place, dead letters, an orderly end."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import structlog

from broker.codec import decode
from broker.domain.subjects import DEADLETTERS, NOTIFICATIONS, STUBS
from broker.errors import (
    BusError,
    ChannelThrottledError,
    InvalidSubjectError,
    RequestRefusedError,
    UndecodableBodyError,
)
from broker.runtime.deadletters import DeadLetters, Original
from broker.runtime.embedded import nats_server
from broker.runtime.loop import Work, consume, token_after
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure, ensure_consumers
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES, ConsumerSpec, service_consumers
from tests.conftest import Eventually

STUB_TOKEN = 8
"""Where the stub stands in a run's subject."""

Handle = Callable[[Original], Awaitable[None]]


class AnyFault(Exception):  # noqa: N818 - not an error of ours, which is the point
    """Something nobody foresaw."""


def subject_of(org: str, stub: str) -> str:
    return f"{STUBS}.org.{org}.service.test.stubref.{stub}.action.run"


@pytest_asyncio.fixture
async def consumer(connection: Connection, org: str) -> AsyncIterator[str]:
    """A durable consumer of this test's org alone."""
    name = f"test-{org}"
    await ensure_consumers(connection, DELIVERIES, [ConsumerSpec(name, (f"*.*.{STUBS}.org.{org}.>",))])
    yield name
    await connection.ask(f"CONSUMER.DELETE.{DELIVERIES}.{name}")


@asynccontextmanager
async def working(connection: Connection, publisher: Publisher, handle: Handle, *consumers: str) -> AsyncIterator[None]:
    """A worker that handles until the end of the block, and then stops in good order."""
    stop = asyncio.Event()
    work = Work(DELIVERIES, consumers, handle, token_after("stubref"))
    task = asyncio.create_task(consume(connection, work, DeadLetters(publisher), stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def dead_letters(connection: Connection, org: str) -> list[StoredMessage]:
    return await read_range(connection, DEADLETTER_STREAM, (f"{DEADLETTERS}.org.{org}.>",), after=0, limit=100)


async def unsettled(connection: Connection, consumer: str) -> int:
    info = await connection.ask(f"CONSUMER.INFO.{DELIVERIES}.{consumer}")
    return int(info["num_ack_pending"]) + int(info["num_pending"])


async def test_each_stub_is_handled_in_order_and_acknowledged(
    connection: Connection, publisher: Publisher, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    stubs = [str(uuid4()) for _ in range(10)]

    async def handle(original: Original) -> None:
        await asyncio.sleep(0)
        seen[original.subject.split(".")[STUB_TOKEN]].append(int(original.data))

    for number in range(500):
        await (await publisher.submit(subject_of(org, stubs[number % 10]), b"%d" % number))
    async with working(connection, publisher, handle, consumer):

        async def all_done() -> bool:
            return await unsettled(connection, consumer) == 0

        await eventually(all_done)
    assert seen == {stub: list(range(index, 500, 10)) for index, stub in enumerate(stubs)}


async def test_a_failure_that_may_pass_is_tried_again_in_place_and_holds_up_its_own_stub_only(
    connection: Connection, publisher: Publisher, consumer: str, org: str, eventually: Eventually
) -> None:
    done: list[bytes] = []
    attempts: list[int] = []

    async def handle(original: Original) -> None:
        if original.data == b"a1":
            attempts.append(original.attempts)
            if len(attempts) < 3:
                raise BusError("away")
        done.append(original.data)

    slow, quick = str(uuid4()), str(uuid4())
    for stub, body in ((slow, b"a1"), (slow, b"a2"), (quick, b"b1")):
        await publisher.store(subject_of(org, stub), body)
    async with working(connection, publisher, handle, consumer):
        await eventually(lambda: len(done) == 3)
    assert done == [b"b1", b"a1", b"a2"]
    assert attempts == [1, 2, 3]


@pytest.fixture(
    params=[
        pytest.param((UndecodableBodyError(3, "no map"), "undecodable"), id="an error of ours says why"),
        pytest.param((AnyFault("with a secret"), "worker_fault"), id="any other is a fault of the program"),
    ]
)
def poison(request: pytest.FixtureRequest) -> tuple[Exception, str]:
    """What the handler raises, and the reason that is kept."""
    found: tuple[Exception, str] = request.param
    return found


async def test_a_poison_message_becomes_one_dead_letter_and_stops_nobody(
    connection: Connection,
    publisher: Publisher,
    consumer: str,
    org: str,
    eventually: Eventually,
    poison: tuple[Exception, str],
) -> None:
    done: list[bytes] = []
    failure, code = poison

    async def handle(original: Original) -> None:
        if original.data == b"poison":
            raise failure
        done.append(original.data)

    stub = str(uuid4())
    for body in (b"before", b"poison", b"after"):
        await publisher.store(subject_of(org, stub), body, {"Heimdall-Stub": "demo.A"})
    async with working(connection, publisher, handle, consumer):
        await eventually(lambda: done == [b"before", b"after"])

        async def all_done() -> bool:
            return await unsettled(connection, consumer) == 0

        await eventually(all_done)
    [letter] = await dead_letters(connection, org)
    assert letter.subject == f"{DEADLETTERS}.org.{org}.reason.{code}"
    kept = decode(letter.data)
    assert (kept["reason"], kept["body"], kept["attempts"]) == (code, b"poison", 1)
    assert kept["headers"]["Heimdall-Stub"] == "demo.A"
    assert "secret" not in str(kept)


async def test_the_log_line_of_a_dead_letter_holds_no_whole_session_uuid(publisher: Publisher, org: str) -> None:
    session = str(uuid4())
    subject = f"{NOTIFICATIONS}.webchat.org.{org}.name.{'n' * 68}.sessionuuid.{session}.bogus"
    original = Original(subject, CONVERSATIONS, 1, b"", {}, 0)
    with structlog.testing.capture_logs() as lines:
        await DeadLetters(publisher).keep_failed(original, InvalidSubjectError(subject, problem="no such event"))
    assert session[:8] in str(lines)
    assert session[:9] not in str(lines)


async def test_what_is_skipped_is_acknowledged_and_never_handled(
    connection: Connection, publisher: Publisher, consumer: str, org: str, eventually: Eventually
) -> None:
    done: list[bytes] = []

    async def handle(original: Original) -> None:
        done.append(original.data)

    for body in (b"skip", b"take"):
        await publisher.store(subject_of(org, "A"), body)
    stop = asyncio.Event()
    work = Work(DELIVERIES, (consumer,), handle, token_after("stubref"), lambda delivery: delivery.data == b"skip")
    task = asyncio.create_task(consume(connection, work, DeadLetters(publisher), stop))

    async def all_done() -> bool:
        return bool(done) and await unsettled(connection, consumer) == 0  # 0 as well while it is being reset

    await eventually(all_done)
    stop.set()
    await task
    assert done == [b"take"]


async def test_a_stop_finishes_what_runs_and_leaves_the_rest_to_the_next_start(
    connection: Connection, publisher: Publisher, consumer: str, org: str, eventually: Eventually
) -> None:
    begun, done = asyncio.Event(), []
    gate = asyncio.Event()

    async def slow(original: Original) -> None:
        begun.set()
        await gate.wait()
        done.append(original.data)

    stub = str(uuid4())
    for number in range(3):
        await publisher.store(subject_of(org, stub), b"%d" % number)
    async with working(connection, publisher, slow, consumer):
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, gate.set)
    assert done == [b"0"]
    async with working(connection, publisher, slow, consumer):
        await eventually(lambda: done[-2:] == [b"1", b"2"])  # the 0 may come again before its ack was read


async def test_a_worker_is_told_which_consumer_it_has_taken_and_that_another_may_have_had_it(
    connection: Connection, publisher: Publisher, consumer: str, eventually: Eventually
) -> None:
    stops, told, letters = [asyncio.Event(), asyncio.Event()], [list[str](), list[str]()], DeadLetters(publisher)

    async def handle(_: Original) -> None:
        await asyncio.sleep(0)

    works = [Work(DELIVERIES, (consumer,), handle, token_after("stubref"), retaken=each.append) for each in told]
    first = asyncio.create_task(consume(connection, works[0], letters, stops[0]))
    await eventually(lambda: told == [[consumer], []])
    second = asyncio.create_task(consume(connection, works[1], letters, stops[1]))
    stops[0].set()
    await first
    await eventually(lambda: told == [[consumer], [consumer]])
    stops[1].set()
    await second


async def test_a_consumer_that_does_not_exist_ends_the_worker(connection: Connection, publisher: Publisher) -> None:
    async def handle(_: Original) -> None:
        pass

    work = Work(DELIVERIES, ("nobody",), handle, token_after("stubref"))
    with pytest.raises(RequestRefusedError, match="consumer not found"):
        await consume(connection, work, DeadLetters(publisher), asyncio.Event())


async def test_a_killed_server_loses_reorders_and_hides_nothing(
    tmp_path: Path, org: str, eventually: Eventually
) -> None:
    firsts: dict[str, list[int]] = defaultdict(list)
    stubs = [str(uuid4()) for _ in range(20)]

    async def handle(original: Original) -> None:
        stub = original.subject.split(".")[STUB_TOKEN]
        if (number := int(original.data)) not in firsts[stub]:
            firsts[stub].append(number)

    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        specs = service_consumers(org, "test")
        await ensure_consumers(connection, DELIVERIES, specs)
        consumers = [spec.name for spec in specs]
        async with open_publisher(connection) as publisher, working(connection, publisher, handle, *consumers):
            for number in range(1_000):
                if number in {300, 700}:
                    await own.kill()
                    await own.start()
                    await connection.wait_connected()
                await publisher.store(subject_of(org, stubs[number % 20]), b"%d" % number)
            await eventually(lambda: sum(map(len, firsts.values())) == 1_000, within_s=10)
    assert firsts == {stub: list(range(index, 1_000, 20)) for index, stub in enumerate(stubs)}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_becomes_of_each_run_every_stub_s_runs_end_in_order_and_once(
    connection: Connection, publisher: Publisher, consumer: str, org: str, eventually: Eventually, seed: int
) -> None:
    """Each run has a fate of its own: done, failed for good, a fault, or done after some failures that pass."""
    drawn = random.Random(seed)  # noqa: S311 - reproducible, not secret
    fates = [drawn.choice(["done", "bad", "fault", "once", "twice", "asked"]) for _ in range(60)]
    stubs = [drawn.choice("abcdef") + org[:8] for _ in fates]
    ended: dict[str, list[int]] = defaultdict(list)
    fails = {"once": 1, "twice": 2, "asked": 1}

    async def handle(original: Original) -> None:
        number = int(original.data)
        fate = fates[number]
        if original.attempts <= fails.get(fate, 0):
            raise ChannelThrottledError("desk", retry_after_s=0.05) if fate == "asked" else BusError("away")
        ended[stubs[number]].append(number)
        if fate == "bad":
            raise UndecodableBodyError(3, "no map")
        if fate == "fault":
            raise AnyFault

    for number, stub in enumerate(stubs):
        await publisher.store(subject_of(org, stub), b"%d" % number)
    async with working(connection, publisher, handle, consumer):

        async def all_ended() -> bool:
            return sum(map(len, ended.values())) >= len(fates) and await unsettled(connection, consumer) == 0

        await eventually(all_ended, within_s=20)
    expected = {stub: [number for number, one in enumerate(stubs) if one == stub] for stub in set(stubs)}
    assert ended == expected
    reasons = {"bad": "undecodable", "fault": "worker_fault"}
    letters = [decode(letter.data) for letter in await dead_letters(connection, org)]
    assert sorted((int(letter["body"]), letter["reason"]) for letter in letters) == [
        (number, reasons[fate]) for number, fate in enumerate(fates) if fate in reasons
    ]
