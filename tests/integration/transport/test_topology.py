"""ensure() against the real server: what it makes, what it leaves alone, what it refuses."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from broker.domain.subjects import NOTIFICATIONS, STUBS, TIMERS, WEBHOOKS, partition_of
from broker.errors import TopologyError
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import consumers_of, ensure, ensure_consumers
from broker.transport.publisher import Publisher
from broker.transport.topology import (
    BUCKETS,
    CONVERSATIONS,
    DELIVERIES,
    PARTITIONS,
    SERVICE_PARTITIONS,
    STREAMS,
    TIMER_STREAM,
    WEBHOOK_PARTITIONS,
    WEBHOOK_STREAM,
    ConsumerSpec,
    expiry_consumers,
    stream_of,
    webhook_consumers,
)

SAMPLES = 60


async def stored_subject(connection: Connection, stream: str, sequence: int) -> str:
    answer = await connection.ask(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
    return str(answer["message"]["subject"])


async def test_every_stream_and_bucket_is_there_after_ensure(connection: Connection) -> None:
    names = set((await connection.ask("STREAM.NAMES"))["streams"])
    assert {spec.name for spec in STREAMS} | {stream_of(bucket) for bucket in BUCKETS} <= names


async def test_ensuring_again_changes_nothing_on_the_server(connection: Connection) -> None:
    async def snapshot() -> list[object]:
        streams = [await connection.ask(f"STREAM.INFO.{spec.name}") for spec in STREAMS]
        listed = (await connection.ask(f"CONSUMER.LIST.{CONVERSATIONS}", {"offset": 0}))["consumers"]
        linkers = [(one["created"], one["config"]) for one in listed if one["name"].startswith("linker-")]
        return [[(one["created"], one["config"]) for one in streams], linkers]

    calls: list[str] = []
    before = await snapshot()
    asked = connection.ask

    async def recording(api: str, body: dict[str, object] | None = None) -> dict[str, object]:
        calls.append(api)
        return await asked(api, body)

    connection.ask = recording  # type: ignore[method-assign, assignment] # to see which calls are made
    await ensure(connection)
    connection.ask = asked  # type: ignore[method-assign] # as above
    assert not [api for api in calls if "CREATE" in api or "UPDATE" in api]
    assert await snapshot() == before


async def test_what_differs_on_the_server_is_put_right(connection: Connection) -> None:
    info = await connection.ask(f"STREAM.INFO.{CONVERSATIONS}")
    wanted = info["config"]["max_age"]
    await connection.ask(f"STREAM.UPDATE.{CONVERSATIONS}", {**info["config"], "max_age": 10 * wanted})
    await ensure(connection)
    assert (await connection.ask(f"STREAM.INFO.{CONVERSATIONS}"))["config"]["max_age"] == wanted


async def test_what_an_earlier_version_had_is_removed(connection: Connection) -> None:
    await ensure_consumers(connection, TIMER_STREAM, [ConsumerSpec("expiry", (f"{TIMERS}.due.>",))])
    await ensure(connection)
    names = set(await consumers_of(connection, TIMER_STREAM))
    assert "expiry" not in names
    assert {spec.name for spec in expiry_consumers()} <= names


async def test_the_partition_of_a_conversation_agrees_with_the_server(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    for _ in range(SAMPLES):
        session = str(uuid4())
        subject = f"{NOTIFICATIONS}.webchat.org.{org}.name.draftshop.sessionuuid.{session}.webchatmessagetype.message"
        stored = await publisher.store(subject, b"{}")
        expected = f"p.{partition_of((session,), PARTITIONS)}.{subject}"
        assert await stored_subject(connection, CONVERSATIONS, stored.sequence) == expected


async def test_the_partition_of_a_delivery_agrees_with_the_server(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    for number in range(SAMPLES):
        subject = f"{STUBS}.org.{org}.service.demo.stubref.R-{number}.action._create"
        stored = await publisher.store(subject, b"{}")
        expected = f"p.{partition_of((org, 'demo', f'R-{number}'), SERVICE_PARTITIONS)}.{subject}"
        assert await stored_subject(connection, DELIVERIES, stored.sequence) == expected


async def test_calls_to_work_on_reach_the_consumer_of_their_connection_and_no_others(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    channel = f"c{uuid4().hex[:20]}"
    specs = webhook_consumers(channel)
    await ensure_consumers(connection, WEBHOOK_STREAM, specs)
    base = f"{WEBHOOKS}.org.{org}.channel.{channel}.connection.support"
    for outcome in ("taken", "passed", "refused"):
        stored = await publisher.store(f"{base}.{outcome}", b"{}")
        place = partition_of((org, channel, "support"), WEBHOOK_PARTITIONS)
        assert await stored_subject(connection, WEBHOOK_STREAM, stored.sequence) == f"p.{place}.{base}.{outcome}"
    waiting = await consumers_of(connection, WEBHOOK_STREAM)
    expected = [int(number == place) for number in range(WEBHOOK_PARTITIONS)]
    assert [waiting[spec.name]["num_pending"] for spec in specs] == expected
    for spec in specs:
        await connection.ask(f"CONSUMER.DELETE.{WEBHOOK_STREAM}.{spec.name}")


async def test_a_subject_without_session_is_stored_as_it_is(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    subject = f"{NOTIFICATIONS}.webchat.org.{org}.name.draftshop.webchatmessagetype.initialize"
    stored = await publisher.store(subject, b"{}")
    assert await stored_subject(connection, CONVERSATIONS, stored.sequence) == subject


async def test_another_number_of_partitions_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        await ensure(connection, partitions=16)
        with pytest.raises(TopologyError, match="CONVERSATIONS exists with 16 partitions, expected 8"):
            await ensure(connection, partitions=8)


async def test_the_embedded_server_finds_its_data_again(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as first, connect(first.url, name="test") as connection:
        await ensure(connection)
    async with nats_server(tmp_path) as second, connect(second.url, name="test") as connection:
        assert await connection.ask(f"STREAM.INFO.{CONVERSATIONS}")


def test_the_embedded_server_speaks_on_loopback_only(server: EmbeddedServer) -> None:
    assert server.url.startswith("nats://127.0.0.1:")
