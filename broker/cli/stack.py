"""The whole backbone on one machine: server and workers, started in order, kept running, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence

from broker.cli.child import Child, Report
from broker.errors import ServerFailedError
from broker.runtime.embedded import EmbeddedServer
from broker.runtime.retry import backoff_s
from broker.runtime.settings import Settings
from broker.transport.connection import connect
from broker.transport.ensure import ensure

SERVER_LOOK_S = 0.5
WORKERS_STOP_WAIT_S = 1.7
SERVER_STOP_WAIT_S = 0.8
"""Together under 3 s: what takes longer is killed, and all of it is built to survive that."""
SLOW_START_S = 20.0


async def ensure_topology(url: str, settings: Settings) -> None:
    """Streams, buckets and consumers, before any worker asks for them."""
    async with connect(url, name="dev") as connection:
        await ensure(connection, replicas=settings.replicas, partitions=settings.partitions)


@contextlib.asynccontextmanager
async def running(server: EmbeddedServer, children: Sequence[Child], report: Report) -> AsyncIterator[None]:
    """Keep the server and the workers running until the end of the block, then end the workers, then the server."""
    keepers = [asyncio.create_task(child.keep_running()) for child in children]
    watcher = asyncio.create_task(_keep_server(server, report))
    try:
        yield
    finally:
        watcher.cancel()
        await _stop_workers(children, keepers)
        await asyncio.wait({watcher})
        await _stop_server(server)


async def wait_ready(children: Sequence[Child], report: Report) -> None:
    """Return when every worker is ready; says which one keeps the others waiting."""
    waiting = {asyncio.create_task(child.wait_ready()): child.plan.name for child in children}
    try:
        _, late = await asyncio.wait(waiting, timeout=SLOW_START_S)
        if late:
            names = ", ".join(sorted(waiting[task] for task in late))
            report(f"still waiting for {names}; the log files tell more")
            await asyncio.wait(late)
    finally:
        for task in waiting:
            task.cancel()


async def _stop_workers(children: Sequence[Child], keepers: Sequence[asyncio.Task[None]]) -> None:
    for child in children:
        child.ask_to_stop()
    _, late = await asyncio.wait(keepers, timeout=WORKERS_STOP_WAIT_S)
    for child in children:
        child.kill()
    for task in late:
        task.cancel()  # one may be in the pause before its next start
    await asyncio.wait(keepers)


async def _stop_server(server: EmbeddedServer) -> None:
    pid = server.pid
    try:
        await asyncio.wait_for(server.stop(), SERVER_STOP_WAIT_S)
    except TimeoutError:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def _keep_server(server: EmbeddedServer, report: Report) -> None:
    """Start the server again when it ends; the workers reconnect by themselves."""
    attempt = 0
    while True:
        await asyncio.sleep(SERVER_LOOK_S if not attempt else backoff_s(attempt))
        if server.running:
            attempt = 0
            continue
        attempt += 1
        report("nats-server ended, starting it again")
        try:
            await server.start()
            report("nats-server is back")
        except ServerFailedError as error:
            report(f"{error}; trying again in {backoff_s(attempt):.1f} s")
