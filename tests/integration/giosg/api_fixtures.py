"""The client of giosg's API on the stand-in, with a bucket for who visitors are; no worker runs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Call, Giosg
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import CASES, CaseStore
from workers.giosg.connections.connection import Connections, GiosgConnection

NAME = "support"
WEBHOOK_SECRET = "webhook-secret-of-the-test-0123456789"


def a_connection(giosg: Giosg, org: str, **changes: Any) -> GiosgConnection:
    """A connection to the stand-in."""
    given: dict[str, Any] = {
        "name": NAME,
        "org": org,
        "base_url": giosg.url,
        "organization_id": ORGANIZATION_ID,
        "room_id": ROOM_ID,
        "api_token": SecretStr(API_TOKEN),
        "webhook_secret": SecretStr(WEBHOOK_SECRET),
        "webhook_public_url": "http://127.0.0.1:9",
    }
    return GiosgConnection.model_validate(given | changes)


async def a_store(connection: Connection, publisher: Publisher) -> CaseStore:
    """The desk's bucket."""
    await ensure_bucket(connection, CASES)
    return CaseStore(Records(connection, publisher, CASES))


def apis_of(store: CaseStore, connection: GiosgConnection, **settings: Any) -> Apis:
    """The API of that one connection."""
    return Apis(Connections([connection]), store, **settings)


def a_visitor() -> str:
    """A key that no other test has: who visitors are outlives a test."""
    return f"test:{uuid4()}"


async def gaps_ms(giosg: Giosg, path: str, method: str) -> list[int]:
    """How long after one another such calls came."""
    at_ms = [call.at_ms for call in await giosg.calls(path, method=method)]
    return [later - earlier for earlier, later in pairwise(at_ms)]


async def authentications(giosg: Giosg) -> list[Call]:
    """Every C1."""
    return await giosg.calls("/auth")
