"""The pull loop on a real server that is killed under load: in order after each take, nothing missing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.domain.subjects import DEADLETTERS, NOTIFICATIONS
from broker.errors import BusError, RequestRefusedError
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure, ensure_consumers
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.pull import Delivery, PullLoop
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, ConsumerSpec, linker_consumers
from tests.conftest import Eventually
from tests.integration.transport.conftest import store, subject_of

SESSIONS = 40
MESSAGES = 12_000
KILLS = 3


@pytest_asyncio.fixture
async def own(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of the test's own, to be killed."""
    async with nats_server(tmp_path) as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


async def publish_all(server: EmbeddedServer, org: str) -> None:
    """Store every message once, some sessions at a time, whatever happens to the server meanwhile."""
    async with (
        connect(server.url, name="test-publisher") as connection,
        open_publisher(connection, timeout_s=1.0) as to,
    ):

        async def publish_share(share: int) -> None:
            session = str(uuid4())
            for number in range(share, MESSAGES, SESSIONS):
                await store_surely(connection, to, subject_of(org, session), b"%d" % number, f"{org}-{number}")

        await asyncio.gather(*(publish_share(share) for share in range(SESSIONS)))


async def store_surely(connection: Connection, publisher: Publisher, subject: str, body: bytes, id_: str) -> None:
    while True:
        try:
            await publisher.store(subject, body, {"Nats-Msg-Id": id_})
        except BusError:
            await connection.wait_connected()
        else:
            return


async def test_every_consumer_delivers_in_order_after_each_take_while_the_server_is_killed(
    own: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
    numbers: set[int] = set()

    def accepting(consumer: str) -> object:
        async def accept(delivery: Delivery) -> None:
            seen[consumer].append((delivery.generation, delivery.sequence))
            numbers.add(int(delivery.data))
            await delivery.ack()

        return accept

    async with connect(own.url, name="test-linker") as connection, AsyncExitStack() as stack:
        for spec in linker_consumers():
            loop = PullLoop(connection, CONVERSATIONS, spec.name, accepting(spec.name))  # type: ignore[arg-type] # as accept
            await stack.enter_async_context(loop)
        publishing = asyncio.create_task(publish_all(own, org))
        for kill in range(1, KILLS + 1):
            await eventually(lambda kill=kill: len(numbers) >= kill * MESSAGES // (KILLS + 1), within_s=30)
            await own.kill()
            await own.start()
        await asyncio.wait_for(publishing, 60)
        await eventually(lambda: numbers == set(range(MESSAGES)), within_s=10)
    for deliveries in seen.values():
        assert deliveries == sorted(deliveries), "out of order within one take"
        first_time = sorted({sequence for _, sequence in deliveries})
        assert first_time == list(dict.fromkeys(sequence for _, sequence in deliveries)), "a newer one came first"
    assert sum(len({sequence for _, sequence in one}) for one in seen.values()) == MESSAGES


async def test_delivery_goes_on_soon_after_the_server_is_back(
    own: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(delivery.data)
        await delivery.ack()

    session = str(uuid4())
    await only_consumer(own, session, org)
    async with (
        connect(own.url, name="test") as connection,
        open_publisher(connection) as publisher,
        PullLoop(connection, CONVERSATIONS, "only", accept),
    ):
        await publisher.store(subject_of(org, session), b"before")
        await eventually(lambda: seen == [b"before"])
        await own.kill()
        await own.start()
        await connection.wait_connected()
        await publisher.store(subject_of(org, session), b"after")
        await eventually(lambda: seen[-1] == b"after", within_s=3)


async def only_consumer(server: EmbeddedServer, session: str, org: str) -> None:
    async with connect(server.url, name="test-topology") as connection:
        await ensure_consumers(connection, CONVERSATIONS, [ConsumerSpec("only", (f"*.*.{subject_of(org, session)}",))])


async def test_what_was_not_acknowledged_comes_again_in_order_at_the_next_take(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(delivery.data)
        if delivery.data in {b"0", b"2"}:
            await delivery.ack()

    await store(connection, org, 5)
    async with PullLoop(connection, CONVERSATIONS, consumer, accept):
        await eventually(lambda: len(seen) == 5)
    seen.clear()
    async with PullLoop(connection, CONVERSATIONS, consumer, accept):
        await eventually(lambda: len(seen) == 4)
    assert seen == [b"1", b"2", b"3", b"4"]


async def test_a_delivery_knows_its_public_subject_and_when_it_was_stored(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[Delivery] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(delivery)
        await delivery.ack()

    session = str(uuid4())
    async with open_publisher(connection) as publisher, PullLoop(connection, CONVERSATIONS, consumer, accept):
        stored = await publisher.store(subject_of(org, session), b"x", {"Heimdall-Stub": "demo.A"})
        await eventually(lambda: seen)
    [delivery] = seen
    assert delivery.public_subject == subject_of(org, session)
    assert delivery.subject.endswith(delivery.public_subject)
    assert delivery.sequence == stored.sequence
    assert delivery.headers["Heimdall-Stub"] == "demo.A"
    assert delivery.attempt == 1
    assert not delivery.stale


async def test_a_terminated_delivery_never_comes_again(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(delivery.data)
        await delivery.terminate("poison")

    await store(connection, org, 1)
    async with PullLoop(connection, CONVERSATIONS, consumer, accept):
        await eventually(lambda: seen)

    async def settled() -> bool:
        info = await connection.ask(f"CONSUMER.INFO.{CONVERSATIONS}.{consumer}")
        return bool(info["num_ack_pending"] == 0)

    await eventually(settled)


async def test_a_slow_accept_slows_the_loop_and_loses_nothing(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []
    gate = asyncio.Event()

    async def accept(delivery: Delivery) -> None:
        await gate.wait()
        seen.append(delivery.data)
        await delivery.ack()

    await store(connection, org, 60)
    async with PullLoop(connection, CONVERSATIONS, consumer, accept, batch=10) as loop:

        async def asked() -> bool:
            info = await connection.ask(f"CONSUMER.INFO.{CONVERSATIONS}.{consumer}")
            return bool(info["num_ack_pending"] > 0)

        await eventually(asked)
        info = await connection.ask(f"CONSUMER.INFO.{CONVERSATIONS}.{consumer}")
        assert info["num_ack_pending"] <= 10
        gate.set()
        await eventually(lambda: len(seen) == 60)
        assert loop.generation == 1
    assert seen == [b"%d" % number for number in range(60)]


async def test_an_accept_that_blocks_longer_than_the_heartbeats_is_no_loss(
    connection: Connection, consumer: str, org: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.transport.requests.SILENCE_S", 0.1)
    seen: list[bytes] = []
    ticks: list[None] = []
    gate = asyncio.Event()
    end = connection.watch(lambda: ticks.append(None))

    async def accept(delivery: Delivery) -> None:
        await gate.wait()
        seen.append(delivery.data)
        await delivery.ack()

    await store(connection, org, 1)
    async with PullLoop(connection, CONVERSATIONS, consumer, accept) as loop:
        await eventually(lambda: len(ticks) >= 3)
        assert loop.generation == 1
        gate.set()
        await eventually(lambda: seen)
    end()


async def test_a_failing_accept_gets_the_same_message_again(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []

    async def accept(delivery: Delivery) -> None:
        if delivery.generation == 1 and delivery.data == b"1":
            raise RuntimeError
        seen.append(delivery.data)
        await delivery.ack()

    await store(connection, org, 3)
    async with PullLoop(connection, CONVERSATIONS, consumer, accept):
        await eventually(lambda: seen[-2:] == [b"1", b"2"])


async def test_a_consumer_that_is_made_anew_is_taken_again(
    connection: Connection, consumer: str, org: str, eventually: Eventually
) -> None:
    seen: list[bytes] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(delivery.data)
        await delivery.ack()

    async with PullLoop(connection, CONVERSATIONS, consumer, accept):
        await connection.ask(f"CONSUMER.DELETE.{CONVERSATIONS}.{consumer}")
        spec = ConsumerSpec(consumer, (f"*.*.{NOTIFICATIONS}.*.org.{org}.>",))
        await ensure_consumers(connection, CONVERSATIONS, [spec])
        await store(connection, org, 1)
        await eventually(lambda: seen == [b"0"], within_s=15)


async def test_a_consumer_that_does_not_exist_is_named_at_the_start(connection: Connection) -> None:
    async def accept(_: Delivery) -> None:
        pass

    with pytest.raises(RequestRefusedError, match="consumer not found"):
        await PullLoop(connection, CONVERSATIONS, "nobody", accept).start()


async def test_large_messages_come_in_portions_all_of_them_and_in_order(
    server: EmbeddedServer, connection: Connection, publisher: Publisher, org: str, eventually: Eventually
) -> None:
    count, body = 40, b"x" * 500_000
    for number in range(count):
        await publisher.store(f"{DEADLETTERS}.org.{org}.reason.large", b"%d" % number + body)
    spec = ConsumerSpec(f"large-{org}", (f"{DEADLETTERS}.org.{org}.>",))
    await ensure_consumers(connection, DEADLETTER_STREAM, (spec,))
    seen: list[int] = []
    takes: list[int] = []

    async def accept(delivery: Delivery) -> None:
        seen.append(int(delivery.data.rstrip(b"x")))
        await delivery.ack()

    loop = PullLoop(connection, DEADLETTER_STREAM, spec.name, accept, on_retake=takes.append)
    async with loop:
        await eventually(lambda: len(seen) >= count, within_s=15)
    assert seen == list(range(count))
    assert takes == [1], "a request that was full is no reason to begin anew"
