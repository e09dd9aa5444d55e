"""Runs the demo program: ``python -m workers.demo``, or ``heimdall worker demo``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from broker.domain.events import TIMEOUT_HOURS_DEFAULT
from broker.kit.main import ServiceSettings, serve_until
from broker.runtime.backbone import Backbone
from broker.runtime.main import run_worker
from workers.demo.program import service


class DemoSettings(ServiceSettings):
    """What the demo reads beside a service's settings."""

    link_hours: float = Field(TIMEOUT_HOURS_DEFAULT, gt=0, description="For how long the demo's links last.")


async def work(settings: DemoSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Make the demo's chat, then answer its visitors until ``stop`` is set."""
    service.link_hours = settings.link_hours
    await serve_until(service, settings, backbone, stop)


if __name__ == "__main__":
    run_worker("demo", DemoSettings, work)
