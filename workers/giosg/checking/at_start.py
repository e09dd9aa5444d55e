"""The self-test at the worker's start: each connection's room is looked at once, and the log says what was found.

Source: specs/giosg.md section 2.
"""

from __future__ import annotations

import asyncio

import structlog

from broker.runtime.outbound_http import OutboundHttp
from workers.giosg.calls.exchange import Exchange
from workers.giosg.checking.room import check_room
from workers.giosg.connections.connection import Connections, GiosgConnection

log = structlog.get_logger()


async def self_test(connections: Connections, stop: asyncio.Event) -> None:
    """Look at all rooms, beside everything else; it returns when ``stop`` is set, whatever giosg does."""
    looking = asyncio.create_task(_look(connections))
    await stop.wait()
    looking.cancel()
    await asyncio.wait((looking,))


async def _look(connections: Connections) -> None:
    async with OutboundHttp() as outside, OutboundHttp(private_addresses=True) as inside:
        for connection in connections.all():
            await _tell(connection, Exchange(connection, inside if connection.is_local else outside))


async def _tell(connection: GiosgConnection, exchange: Exchange) -> None:
    checks = [check for check in await check_room(exchange) if check.state != "ok"]
    if not checks:
        log.info("connection_tested", connection=connection.name)
    for check in checks:
        if check.state != "skipped":
            tell = log.error if check.is_failed else log.warning
            tell(
                "connection_test_failed",
                connection=connection.name,
                check=check.name,
                found=check.found,
                mend=check.mend,
            )
