"""A real cluster of three: what a decision is made by comes from the leader, and a killed leader loses nothing."""

from __future__ import annotations

from pathlib import Path

from nats.aio.msg import Msg

from broker.runtime.cluster import Cluster
from broker.transport.connection import connect
from broker.transport.ensure import ensure_bucket
from broker.transport.leader import ask_leader, read_kept
from broker.transport.publisher import open_publisher
from broker.transport.records import Record, Records
from broker.transport.topology import PROFILES, stream_of
from tests.conftest import poll

STREAM = stream_of(PROFILES)


async def test_on_a_cluster_a_record_is_read_from_its_leader_since_a_replica_may_lag_behind(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, connect(cluster.url, name="test") as connection:
        await ensure_bucket(connection, PROFILES, replicas=3)
        asked: list[str] = []

        async def note(message: Msg) -> None:
            asked.append(message.subject)

        await connection.subscribe("$JS.API.>", note)
        async with open_publisher(connection) as publisher:
            records = Records(connection, publisher, PROFILES)
            revision = await records.write("key", b"there", revision=0)
            assert await records.read("key") == Record(b"there", revision)
            assert await read_kept(connection, STREAM, revision + 1) is None
            await poll(lambda: asked.count(f"$JS.API.STREAM.MSG.GET.{STREAM}") == 2)
            assert not any(subject.startswith(f"$JS.API.DIRECT.GET.{STREAM}.") for subject in asked)


async def test_a_bucket_outlives_the_server_that_leads_it(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, connect(cluster.url, name="test") as connection:
        await ensure_bucket(connection, PROFILES, replicas=3)
        async with open_publisher(connection) as publisher:
            records = Records(connection, publisher, PROFILES)
            revision = await records.write("key", b"there", revision=0)
            leader = await cluster.leader_of(STREAM)
            await leader.kill()
            assert await cluster.leader_of(STREAM) is not leader
            await connection.wait_connected()
            assert await records.read("key") == Record(b"there", revision)


async def test_the_leader_tells_a_message_with_its_headers_and_that_there_is_none(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, connect(cluster.url, name="test") as connection:
        await ensure_bucket(connection, PROFILES, replicas=3)
        async with open_publisher(connection, timeout_s=2) as publisher:
            records = Records(connection, publisher, PROFILES)
            revision = await records.write("key", b"\xff value", revision=0, ttl_s=60)
            message = await ask_leader(connection, STREAM, {"seq": revision})
            assert message is not None
            assert (message.data, message.headers["Nats-TTL"], message.sequence) == (b"\xff value", "60s", revision)
            assert message.subject == f"$KV.{PROFILES}.key"
            assert await ask_leader(connection, STREAM, {"seq": revision + 1}) is None
            assert await records.read("never") == Record(None, 0)
            await records.delete("key")
            assert (await records.read("key")).value is None
