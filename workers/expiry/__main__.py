"""Wires the expiry worker: ``python -m workers.expiry``, or ``heimdall worker expiry``."""

from __future__ import annotations

import asyncio

from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work
from broker.runtime.main import run_worker
from broker.runtime.settings import Settings
from broker.transport.topology import STUBSESSIONS, TIMER_STREAM, expiry_consumers
from workers.expiry.handle import LookAtLink, lane_of


class ExpirySettings(Settings):
    """The expiry worker has no settings of its own."""


async def work(settings: ExpirySettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Look at the link of every timer that fires, until ``stop`` is set."""
    handle = LookAtLink(backbone.records(STUBSESSIONS), backbone.publisher, backbone.timers)
    consumers = tuple(spec.name for spec in expiry_consumers())
    fired = Work(TIMER_STREAM, consumers, handle, lane_of, lease_s=settings.lease_s)
    await backbone.consume(fired, stop)


if __name__ == "__main__":
    run_worker("expiry", ExpirySettings, work)
