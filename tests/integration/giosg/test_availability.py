"""Whether agents are there, as giosg says, and as programs ask for it by command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr

from broker.codec import encode
from broker.domain.ids import OrgId
from broker.domain.subjects import ChannelCommandSubject
from broker.errors import CommandRefusedError
from broker.transport.commands import request_command
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from tests.conftest import poll
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import CASES, CaseStore
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.commands import GIOSG, serve_desk_commands
from workers.giosg.watching.health import Health


class Desk:
    """A connection to the stand-in, and what the worker has to know of its agents."""

    def __init__(self, connection: GiosgConnection, availability: Availability, health: Health) -> None:
        self.connection, self.availability, self.health = connection, availability, health

    async def available(self) -> bool | None:
        return (await self.availability.check(self.connection)).available

    def has(self, code: str) -> bool:
        return code in [reason.code for reason in self.health.of(self.connection.name).reasons]


@pytest.fixture
def cache_s() -> int:
    return 0


@pytest_asyncio.fixture
async def asked(
    connection: Connection, publisher: Publisher, org: str, giosg: Giosg, cache_s: int
) -> AsyncIterator[Desk]:
    await ensure_bucket(connection, CASES)
    records = Records(connection, publisher, CASES)
    found = GiosgConnection(
        name=f"c{uuid4().hex[:8]}",
        org=org,
        base_url=giosg.url,
        organization_id=ORGANIZATION_ID,
        room_id=ROOM_ID,
        api_token=SecretStr(API_TOKEN),
        webhook_secret=SecretStr(40 * "s"),
        webhook_public_url="http://127.0.0.1:1",
        availability_cache_seconds=cache_s,
        max_retries=0,
    )
    connections = Connections([found])
    async with (
        Health(connection, records, connections) as health,
        Apis(connections, CaseStore(records), on_outcome=health.outcome, probe_wait_s=0.01) as apis,
    ):
        availability = Availability(apis)
        async with serve_desk_commands(connection, connections, availability):
            yield Desk(found, availability, health)


async def test_agents_are_there_while_the_room_is_online(asked: Desk, giosg: Giosg) -> None:
    assert await asked.available() is True
    await giosg.room("offline")
    assert await asked.available() is False


async def test_7_7_where_giosg_does_not_say_nothing_is_known(asked: Desk, giosg: Giosg) -> None:
    await giosg.api_tokens("another-token")
    assert await asked.available() is None
    await poll(lambda: asked.has("token_refused"))
    await giosg.api_tokens(API_TOKEN)
    await poll(asked.available)
    await poll(lambda: not asked.has("token_refused"))


async def test_7_15_an_unknown_room_is_a_configuration_error(asked: Desk, giosg: Giosg) -> None:
    await giosg.fault(method="GET", path=f"/rooms/{ROOM_ID}", status=404, body="{}")
    assert await asked.available() is None
    await poll(lambda: asked.has("wrong_room"))
    assert asked.health.of(asked.connection.name).status == "unhealthy"


async def test_a_giosg_that_fails_is_away_until_it_answers(asked: Desk, giosg: Giosg) -> None:
    await giosg.fault(method="GET", path=f"/rooms/{ROOM_ID}", status=503)
    assert await asked.available() is None
    await poll(lambda: asked.has("giosg_away"))
    assert await asked.available() is True
    await poll(lambda: not asked.has("giosg_away"))


@pytest.mark.parametrize("cache_s", [60])
async def test_many_that_ask_at_once_cost_one_call(asked: Desk, giosg: Giosg) -> None:
    found = await asyncio.gather(*(asked.available() for _ in range(20)))
    assert set(found) == {True}
    assert len(await giosg.calls(f"/rooms/{ROOM_ID}", method="GET")) == 1
    await giosg.room("offline")
    assert await asked.available() is True
    assert (await asked.availability.check(asked.connection, is_fresh=True)).available is False


async def test_a_program_asks_by_command(asked: Desk, connection: Connection, org: str) -> None:
    subject = ChannelCommandSubject(OrgId(org), GIOSG, "availability")
    reply = await request_command(connection, subject, encode({"connection": asked.connection.name}))
    assert (reply["available"], reply["humans"]) == (True, True)
    assert reply["checked_at"].endswith("Z")


async def test_another_orgs_connection_is_as_unknown_as_none(asked: Desk, connection: Connection) -> None:
    subject = ChannelCommandSubject(OrgId(str(uuid4())), GIOSG, "availability")
    with pytest.raises(CommandRefusedError, match="has no giosg connection"):
        await request_command(connection, subject, encode({"connection": asked.connection.name}))
