"""Buckets on the real server: compare-and-set, expiry, deletion, listing, and the table in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConflictError, NoStreamError
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure, ensure_bucket
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.records import Record, Records
from broker.transport.tables import Table
from broker.transport.topology import PROFILES, SESSIONS
from tests.conftest import Eventually

AWAY_S = 4
"""Longer than the server needs to forget a deletion; the bound of a minute is one second here."""


@pytest.fixture
def records(connection: Connection, publisher: Publisher) -> Records:
    return Records(connection, publisher, SESSIONS)


async def test_a_key_never_written_reads_as_nothing_at_revision_zero(records: Records, org: str) -> None:
    assert await records.read(org) == Record(None, 0)


async def test_a_written_value_is_read_back_with_its_revision(records: Records, org: str) -> None:
    revision = await records.write(org, b"one", revision=0)
    assert await records.read(org) == Record(b"one", revision)


async def test_a_write_against_an_old_revision_raises_and_stores_nothing(records: Records, org: str) -> None:
    first = await records.write(org, b"one", revision=0)
    second = await records.write(org, b"two", revision=first)
    with pytest.raises(ConflictError):
        await records.write(org, b"three", revision=first)
    assert await records.read(org) == Record(b"two", second)


async def test_a_write_without_revision_wins_whatever_is_there(records: Records, org: str) -> None:
    await records.write(org, b"one", revision=0)
    await records.write(org, b"two", revision=None)
    assert (await records.read(org)).value == b"two"


async def test_an_expired_key_reads_as_nothing_and_is_created_again(
    records: Records, org: str, eventually: Eventually
) -> None:
    await records.write(org, b"short", revision=0, ttl_s=1)

    async def expired() -> bool:
        return (await records.read(org)).value is None

    await eventually(expired)
    gone = await records.read(org)
    assert gone.revision > 0
    revision = await records.write(org, b"again", revision=gone.revision)
    assert await records.read(org) == Record(b"again", revision)


async def test_a_deleted_key_reads_as_nothing_and_is_created_again(records: Records, org: str) -> None:
    revision = await records.write(org, b"one", revision=0)
    await records.delete(org, revision=revision)
    gone = await records.read(org)
    assert gone.value is None
    await records.write(org, b"two", revision=gone.revision)
    assert (await records.read(org)).value == b"two"


async def test_a_delete_against_an_old_revision_raises(records: Records, org: str) -> None:
    first = await records.write(org, b"one", revision=0)
    await records.write(org, b"two", revision=first)
    with pytest.raises(ConflictError):
        await records.delete(org, revision=first)


async def test_the_server_forgets_a_deleted_key_altogether(
    records: Records, org: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.transport.records.MARKER_S", 1)
    await records.write(org, b"one", revision=0)
    await records.delete(org)

    async def forgotten() -> bool:
        return await records.read(org) == Record(None, 0)

    await eventually(forgotten)


async def test_entries_lists_live_keys_below_the_prefix_over_many_pages(
    records: Records, publisher: Publisher, org: str
) -> None:
    futures = [await publisher.submit(f"$KV.{SESSIONS}.{org}.k{number}", b"x") for number in range(1_100)]
    for future in futures:
        await future
    await records.delete(f"{org}.k7")
    assert {entry.key for entry in await records.entries(org)} == {f"{org}.k{n}" for n in range(1_100) if n != 7}


async def test_entries_below_an_unknown_prefix_are_none(records: Records, org: str) -> None:
    assert await records.entries(org) == []


async def test_reading_a_bucket_that_does_not_exist_raises(connection: Connection, publisher: Publisher) -> None:
    with pytest.raises(NoStreamError):
        await Records(connection, publisher, "NOWHERE").read("key")


async def test_a_bucket_of_a_service_is_made_on_request(connection: Connection, publisher: Publisher, org: str) -> None:
    bucket = f"STUBS_{org}"
    await ensure_bucket(connection, bucket)
    await ensure_bucket(connection, bucket)
    records = Records(connection, publisher, bucket)
    assert (await records.read("key")).revision == 0
    await connection.ask(f"STREAM.DELETE.KV_{bucket}")


async def test_a_table_holds_what_was_there_and_follows_what_comes(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    records = Records(connection, publisher, PROFILES)
    await records.write(f"{org}.before", b"1", revision=0)
    async with Table(connection, records) as table:
        entry = table.get(f"{org}.before")
        assert entry is not None
        assert entry.value == b"1"
        await table.wait_for(await records.write(f"{org}.after", b"2", revision=0))
        assert [one.value for one in table.items() if one.key.startswith(org)] == [b"1", b"2"]


async def test_a_table_drops_what_is_deleted_or_expires(
    connection: Connection, publisher: Publisher, org: str, eventually: Eventually
) -> None:
    records = Records(connection, publisher, PROFILES)
    async with Table(connection, records) as table:
        await table.wait_for(await records.write(f"{org}.expires", b"1", revision=0, ttl_s=1))
        await records.write(f"{org}.deleted", b"2", revision=0)
        await records.delete(f"{org}.deleted")
        await eventually(lambda: table.get(f"{org}.expires") is None and table.get(f"{org}.deleted") is None)


async def test_a_table_drops_what_was_deleted_while_it_was_away_for_long(
    tmp_path: Path, org: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.transport.records.MARKER_S", 1)
    changed: list[str] = []
    async with nats_server(tmp_path) as own, connect(own.url, name="near") as near, connect(own.url, name="far") as far:
        await ensure(near)
        far.client.options["reconnect_time_wait"] = AWAY_S
        async with open_publisher(near) as publisher:
            records = Records(near, publisher, PROFILES)
            await records.write(f"{org}.stays", b"1", revision=0)
            await records.write(f"{org}.goes", b"2", revision=0)
            async with Table(far, records, on_change=lambda key, value: changed.append(f"{key} {value!r}")) as table:
                await own.kill()
                await own.start()
                await near.wait_connected()
                await records.delete(f"{org}.goes")

                async def forgotten() -> bool:
                    return await records.read(f"{org}.goes") == Record(None, 0)

                await eventually(forgotten)
                assert not far.connected
                await far.wait_connected()
                await eventually(lambda: table.get(f"{org}.goes") is None)
                assert table.get(f"{org}.stays") is not None
                await table.wait_for(await records.write(f"{org}.comes", b"3", revision=0))
    assert changed[-2:] == [f"{org}.goes None", f"{org}.comes b'3'"]
