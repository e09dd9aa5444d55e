"""Wires the programs worker: ``python -m workers.programs``, or ``heimdall worker programs``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from broker.errors import BusError
from broker.runtime.backbone import Backbone
from broker.runtime.main import run_worker
from broker.transport.topology import PROGRAMS, STUBSESSIONS
from workers.programs.build import Build, leaving_to_owner
from workers.programs.deployer import Deployer
from workers.programs.following import Follower
from workers.programs.keeper import Keeper
from workers.programs.repository import Repository
from workers.programs.settings import ProgramsSettings
from workers.programs.store import ProgramStore
from workers.programs.use import Use
from workers.programs.versions import Versions


async def work(settings: ProgramsSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Make versions ready and keep them running, until ``stop`` is set."""
    async with ProgramStore(backbone.connection, backbone.records(PROGRAMS)) as store:
        if settings.repository.get_secret_value():
            await _work_on_project(settings, backbone, store, stop)
        else:
            deployer = Deployer(store, leaving_to_owner(settings.service), org=None)
            await _until_stopped([deployer.run()], backbone, stop)


async def _work_on_project(
    settings: ProgramsSettings, backbone: Backbone, store: ProgramStore, stop: asyncio.Event
) -> None:
    address, org = settings.repository.get_secret_value(), settings.org
    repository = Repository(address, Path(settings.folder), limit_s=settings.fetch_limit_s)
    versions = Versions(repository.check_out, versions_max=settings.versions_max)
    build = Build(repository, store, versions, settings)
    use = Use(backbone.connection, backbone.records(STUBSESSIONS))
    parts = [
        Deployer(store, build.make_ready, org=org, at_end=versions.release_all).run(),
        Keeper(store, versions, use, repository, org=org, look_s=settings.links_poll_s).run(),
        Follower(store, repository, org=org, poll_s=settings.poll_s).run(),
    ]
    try:
        await _until_stopped(parts, backbone, stop)
    finally:
        await versions.stop()


async def _until_stopped(parts: list[Coroutine[None, None, None]], backbone: Backbone, stop: asyncio.Event) -> None:
    """Run them side by side; one that fails ends the worker, and so does a connection that is over for good."""
    end_watch = backbone.connection.on_closed(stop.set)
    tasks = [asyncio.create_task(part) for part in parts]
    stopping = asyncio.create_task(stop.wait())
    backbone.started.set()
    try:
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        if backbone.connection.closed:
            raise BusError("the NATS server ended the connection for good")
    finally:
        end_watch()
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)


if __name__ == "__main__":
    run_worker("programs", ProgramsSettings, work)
