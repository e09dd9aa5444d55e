"""Wires the webchat worker: ``python -m workers.webchat``, or ``heimdall worker webchat``."""

from __future__ import annotations

import asyncio

from broker.runtime.backbone import Backbone
from broker.runtime.main import run_worker
from broker.transport.tables import Table
from broker.transport.topology import PROFILES
from workers.webchat.assets import load_assets
from workers.webchat.bus import Bus
from workers.webchat.door import Door
from workers.webchat.edge import build_app
from workers.webchat.feed import Feed
from workers.webchat.serving import serve
from workers.webchat.settings import WebchatSettings


async def work(settings: WebchatSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Follow the log and serve browsers, until ``stop`` is set."""
    feed = Feed()
    reader = feed.reader(backbone.connection)
    async with Table(backbone.connection, backbone.records(PROFILES)) as profiles, reader:
        backbone.started.set()
        door = Door(Bus(backbone, profiles, settings), feed, settings)
        assets = load_assets(settings.page_defaults)
        await serve(build_app(door, assets, is_ready=lambda: backbone.ready), settings, stop)


if __name__ == "__main__":
    run_worker("webchat", WebchatSettings, work)
