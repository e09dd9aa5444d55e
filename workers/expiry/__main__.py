"""Wires the expiry worker: ``python -m workers.expiry``, or ``heimdall worker expiry``."""

from __future__ import annotations

import asyncio

from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work
from broker.runtime.main import run_worker
from broker.runtime.settings import Settings
from broker.transport.topology import EXPIRY_CONSUMER, STUBSESSIONS, TIMER_STREAM
from workers.expiry.handle import LookAtLink, lane_of


class ExpirySettings(Settings):
    """The expiry worker has no settings of its own."""


async def work(_settings: ExpirySettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Look at the link of every timer that fires, until ``stop`` is set."""
    handle = LookAtLink(backbone.records(STUBSESSIONS), backbone.publisher, backbone.timers)
    fired = Work(TIMER_STREAM, (EXPIRY_CONSUMER,), handle, lane_of)
    await backbone.consume(fired, stop)


if __name__ == "__main__":
    run_worker("expiry", ExpirySettings, work)
