"""Wires the webim worker: ``python -m workers.webim``, or ``heimdall worker webim``."""

from __future__ import annotations

import asyncio

from broker.runtime.backbone import Backbone
from broker.runtime.main import run_worker
from broker.runtime.serving import Place, serve
from workers.webim.administration.wiring import administration
from workers.webim.edge import build_app
from workers.webim.parts import open_parts
from workers.webim.settings import WebimSettings


async def work(settings: WebimSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Take Webim's calls, send answers, collect dialogs and let channels be managed, until ``stop`` is set."""
    async with open_parts(settings, backbone) as parts, administration(settings, backbone, parts.channels) as routes:
        app = build_app(parts.endpoint, is_ready=lambda: backbone.ready)
        app.include_router(routes)
        place = Place(settings.host, settings.port, "HEIMDALL_WEBIM_PORT", served="endpoint_served")
        loops = (parts.send(backbone, stop), parts.collector.run(stop), parts.hearings.run(stop))
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        try:
            await serve(app, place, stop)
        finally:
            stop.set()
            await asyncio.wait(tasks)
            await asyncio.gather(*tasks)  # what ended one of them early


if __name__ == "__main__":
    run_worker("webim", WebimSettings, work)
