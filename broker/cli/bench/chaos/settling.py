"""When a run is over: nothing waits in any consumer, and no timer is armed any more."""

from __future__ import annotations

import asyncio
import time

from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.topology import CONVERSATIONS, DELIVERIES, TIMER_STREAM

POLL_S = 0.3
QUIET_LOOKS = 3
"""So many looks in a row must find nothing: between two steps of one event nothing waits anywhere."""
TIMERS = ("stubber.systems.timers.link.>", "stubber.systems.timers.hold.>")


async def settled(connection: Connection, wait_s: float) -> bool:
    """Return when all is quiet; False when it is not after ``wait_s``."""
    deadline_s = time.monotonic() + wait_s
    quiet = 0
    while quiet < QUIET_LOOKS:
        try:
            quiet = quiet + 1 if await _is_quiet(connection) else 0
        except BackboneError:
            quiet = 0
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def _is_quiet(connection: Connection) -> bool:
    for stream in (CONVERSATIONS, TIMER_STREAM, DELIVERIES):
        for consumer in (await connection.ask(f"CONSUMER.LIST.{stream}")).get("consumers") or []:
            if "durable_name" in consumer["config"] and (consumer["num_pending"] or consumer["num_ack_pending"]):
                return False
    for pattern in TIMERS:
        found = await connection.ask(f"STREAM.INFO.{TIMER_STREAM}", {"subjects_filter": pattern})
        if found["state"].get("subjects"):
            return False
    return True
