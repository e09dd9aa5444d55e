"""Leases on the real bucket: one owner at a time, free when its process is gone, taken by whoever is quicker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.leases import Membership, member_key, partition_key
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.records import Records
from broker.transport.topology import LEASES
from tests.conftest import TIME_FACTOR, Eventually

TTL_S = 1
"""The shortest there is."""
QUIET_S = 0.3
SAFE_TTL_S = 2 * TTL_S
"""Where a member has to last on a machine that is busy with other tests."""


class Group:
    """A group of this test's own, and any number of members in this process."""

    def __init__(self, connection: Connection, publisher: Publisher, name: str) -> None:
        self.name = name
        self.records = Records(connection, publisher, LEASES)
        self.changes = 0
        self._connection = connection
        self._publisher = publisher

    def member(self, ttl_s: int = TTL_S) -> Membership:
        return Membership(self._connection, self._publisher, self.name, ttl_s=ttl_s, on_change=self._changed)

    def _changed(self) -> None:
        self.changes += 1


@pytest_asyncio.fixture
async def group(connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Group]:
    yield Group(connection, publisher, f"test-{org}")


async def silence(member: Membership) -> None:
    """As kill -9 would: no renewal any more, and nothing given back."""
    assert member._keeping is not None
    member._keeping.cancel()
    await asyncio.wait({member._keeping})


async def test_a_partition_that_somebody_holds_is_nobody_elses(group: Group) -> None:
    async with group.member() as one, group.member() as other:
        revision = await one.take("p-1")
        assert revision is not None
        assert await other.take("p-1") is None
        await one.release("p-1", revision)
        assert await other.take("p-1") is not None


async def test_members_see_each_other_and_who_holds_what(group: Group, eventually: Eventually) -> None:
    async with group.member() as one, group.member() as other:
        await one.take("p-1")

        async def seen() -> bool:
            return (await other.view(asked=False)).owners == {"p-1": one.member}

        await eventually(seen)
        for asked in (False, True):
            view = await other.view(asked=asked)
            assert set(view.members) == {one.member, other.member}
            assert dict(view.owners) == {"p-1": one.member}


async def test_of_many_that_want_the_same_at_once_one_gets_it(group: Group) -> None:
    members = [group.member() for _ in range(5)]
    try:
        await asyncio.gather(*(member.join() for member in members))
        taken = await asyncio.gather(*(member.take("p-1") for member in members))
        assert sum(revision is not None for revision in taken) == 1
    finally:
        await asyncio.gather(*(member.leave() for member in members))


async def test_what_a_silent_member_held_is_free_after_its_time_and_not_before(
    group: Group, eventually: Eventually
) -> None:
    silent = group.member()
    await silent.join()
    await silent.take("p-1")
    async with group.member() as other:
        await silence(silent)
        assert await other.take("p-1") is None

        async def free() -> bool:
            return await other.take("p-1") is not None

        await eventually(free)
        assert silent.member not in (await other.view(asked=True)).members
        assert not silent.good
    await silent.leave()


async def test_a_member_that_renews_keeps_what_it_holds_for_longer_than_one_lease(group: Group) -> None:
    async with group.member(SAFE_TTL_S) as one, group.member(SAFE_TTL_S) as other:
        await one.take("p-1")
        await asyncio.sleep(1.5 * SAFE_TTL_S)
        assert (one.good, await other.take("p-1")) == (True, None)


async def test_who_leaves_is_given_nothing_more_and_keeps_what_it_has_not_given_back(
    group: Group, eventually: Eventually
) -> None:
    async with group.member() as leaver, group.member() as other:
        await leaver.take("p-1")
        await leaver.announce_leaving()

        async def known() -> bool:
            return (await other.view(asked=False)).members == {other.member}

        await eventually(known)
        assert dict((await other.view(asked=True)).owners) == {"p-1": leaver.member}


async def test_what_a_member_held_is_free_the_moment_it_has_left(group: Group, eventually: Eventually) -> None:
    async with group.member() as other:
        async with group.member(ttl_s=60) as gone:
            await gone.take("p-1")

        async def free() -> bool:
            return await other.take("p-1") is not None

        await eventually(free)


async def test_a_member_whose_key_was_removed_knows_that_it_is_lost(group: Group, eventually: Eventually) -> None:
    async with group.member() as one:
        await group.records.delete(member_key(group.name, one.member))
        await eventually(one.lost.is_set)
        assert not one.good


async def test_a_renewal_whose_answer_got_lost_costs_nothing(group: Group) -> None:
    async with group.member(SAFE_TTL_S) as one:
        key = member_key(group.name, one.member)
        found = await group.records.read(key)
        assert found.value is not None
        await group.records.write(key, found.value, revision=found.revision, ttl_s=SAFE_TTL_S)
        await asyncio.sleep(1.5 * SAFE_TTL_S)
        assert one.good


async def test_a_lease_that_nobody_can_read_is_nobodys(group: Group) -> None:
    await group.records.write(partition_key(group.name, "p-1"), b"\xc1 no record", revision=None)
    async with group.member() as one:
        assert dict((await one.view(asked=True)).owners) == {}
        assert await one.take("p-1") is not None


async def test_renewals_are_no_news_to_the_others(group: Group) -> None:
    async with group.member(SAFE_TTL_S), group.member(SAFE_TTL_S) as other:
        await other.view(asked=True)
        await asyncio.sleep(QUIET_S)
        before = group.changes
        await asyncio.sleep(SAFE_TTL_S)
        assert group.changes == before


@pytest.mark.parametrize("away_s", [pytest.param(0.0, id="shorter"), pytest.param(TTL_S + 1.0, id="longer")])
async def test_a_server_that_is_away_costs_the_membership_only_if_it_is_longer_than_a_lease(
    tmp_path: Path, eventually: Eventually, away_s: float
) -> None:
    ttl_s = 5 if not away_s else TTL_S
    async with (
        nats_server(tmp_path) as own,
        connect(own.url, name="test") as connection,
        open_publisher(connection, timeout_s=1) as publisher,
    ):
        await ensure(connection)
        async with Group(connection, publisher, "test").member(ttl_s) as one:
            await own.kill()
            await asyncio.sleep(away_s)
            await own.start()
            await connection.wait_connected()
            await asyncio.sleep(1.0 * TIME_FACTOR)
            await eventually(lambda: one.lost.is_set() == (away_s > 0))
