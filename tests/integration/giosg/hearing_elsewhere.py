"""What hears giosg in another process of the same connection, such as the one that reconciles."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from broker.transport.topology import STUBSESSIONS
from tests.integration.giosg.conftest import CONNECTION, Desk
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import CASES
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.connections.file import load_connections
from workers.giosg.hearing.wiring import HearingParts, make_hearing
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import Visitors
from workers.giosg.watching.health import Health
from workers.giosg.wire import MessageView


@dataclass(frozen=True)
class Elsewhere:
    """Its parts, and the calls that it makes itself."""

    connection: GiosgConnection
    apis: Apis
    parts: HearingParts

    async def listed(self, chat_id: str) -> list[MessageView]:
        """giosg's list of the chat's messages."""
        return await self.apis.of(self.connection.name).messages(chat_id)

    async def read(self, chat_id: str) -> None:
        """Hear that list."""
        await self.parts.hearing.messages(self.connection, chat_id, await self.listed(chat_id))


@contextlib.asynccontextmanager
async def hearing_elsewhere(desk: Desk, folder: Path, *, visitors: Visitors | None = None) -> AsyncIterator[Elsewhere]:
    """It has no part in the worker's webhooks; ``folder`` has the connections' file."""
    connections = load_connections(folder / "giosg.toml", {})
    connection = connections.get(CONNECTION)
    assert connection is not None
    backbone = desk.backbone
    visitors = visitors or Visitors(backbone.connection, backbone.publisher)
    links = Links(backbone.publisher, backbone.records(STUBSESSIONS))
    health = Health(backbone.connection, backbone.records(CASES), connections)
    async with Apis(connections, desk.cases) as apis:
        parts = make_hearing(connections, desk.cases, apis, visitors=visitors, links=links, health=health)
        yield Elsewhere(connection, apis, parts)
