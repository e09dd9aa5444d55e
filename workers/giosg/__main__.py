"""Wires the giosg worker: ``python -m workers.giosg``, or ``heimdall worker giosg``."""

from __future__ import annotations

import asyncio

from broker.runtime.backbone import Backbone
from broker.runtime.main import run_worker
from broker.runtime.serving import Place, serve
from workers.giosg.checking.at_start import self_test
from workers.giosg.parts import open_parts
from workers.giosg.settings import GiosgSettings, connections_of


async def work(settings: GiosgSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Carry what visitors write to giosg, and what its agents write to visitors, until ``stop`` is set."""
    connections = connections_of(settings)
    async with open_parts(settings, backbone, connections) as parts:
        place = Place(settings.host, settings.port, "HEIMDALL_GIOSG_PORT", served="endpoint_served")
        loops = [*parts.loops(stop), *([self_test(connections, stop)] if settings.self_test else [])]
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        try:
            await serve(parts.app, place, stop)
        finally:
            stop.set()
            await asyncio.wait(tasks)
            await asyncio.gather(*tasks)  # what ended one of them early


if __name__ == "__main__":
    run_worker("giosg", GiosgSettings, work, check=connections_of)
