"""The worker's parts, put together once: what each needs of the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import stamina
from fastapi import FastAPI

from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work, consume
from broker.transport.ensure import ensure_bucket, ensure_consumers
from broker.transport.topology import STUBSESSIONS, WEBHOOK_STREAM, webhook_consumers
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import CASES, CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.edge import Endpoint, build_app
from workers.giosg.hearing.inbox import Inbox
from workers.giosg.hearing.wiring import make_hearing
from workers.giosg.hearing.work import hearing_work
from workers.giosg.runs.wiring import Surroundings, runs_works
from workers.giosg.settings import GiosgSettings
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import SERVICE, Visitors
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.commands import serve_desk_commands
from workers.giosg.watching.health import Health
from workers.giosg.watching.watching import Watching
from workers.giosg.watching.wiring import make_watching


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker's loops and its web application work with."""

    backbone: Backbone
    app: FastAPI
    works: tuple[Work, ...]
    watching: Watching

    def loops(self, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """All that runs until ``stop`` is set; the worker is ready once every work has its share."""
        begun = [asyncio.Event() for _ in self.works]
        consuming = [
            consume(self.backbone.connection, work, self.backbone.dead_letters, stop, started=started)
            for work, started in zip(self.works, begun, strict=True)
        ]
        return [*consuming, self.watching.run(stop), self._tell_ready(begun, stop)]

    async def _tell_ready(self, begun: list[asyncio.Event], stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        for started in begun:
            ready = asyncio.ensure_future(started.wait())
            await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
        if not stopped.done():
            self.backbone.started.set()
        await stopped


@contextlib.asynccontextmanager
async def open_parts(settings: GiosgSettings, backbone: Backbone, connections: Connections) -> AsyncIterator[Parts]:
    """Bucket and consumers are there, and how the connections are is known, until the end of the block."""
    stamina.instrumentation.set_on_retry_hooks(())  # a line for each retry of each case is too much; they are counted
    await ensure_bucket(backbone.connection, CASES, replicas=settings.replicas)
    await ensure_consumers(backbone.connection, WEBHOOK_STREAM, webhook_consumers(SERVICE))
    records = backbone.records(CASES)
    cases = CaseStore(records)
    visitors = Visitors(backbone.connection, backbone.publisher)
    links = Links(backbone.publisher, backbone.records(STUBSESSIONS))
    health = Health(backbone.connection, records, connections, webhooks_wait_s=settings.echo_wait_s)
    async with (
        health,
        Apis(connections, cases, on_outcome=health.outcome) as apis,
        contextlib.AsyncExitStack() as stack,
    ):
        availability = Availability(apis)
        await stack.enter_async_context(serve_desk_commands(backbone.connection, connections, availability))
        heard = make_hearing(
            connections, cases, apis, visitors=visitors, links=links, health=health, order_wait_s=settings.order_wait_s
        )
        bus, is_foreign = backbone.connection, heard.ownership.is_foreign
        inbox = Inbox(bus, backbone.publisher, is_foreign=is_foreign, webhook_seen=health.webhook_seen)
        stack.push_async_exit(inbox)
        app = build_app(Endpoint(connections, inbox), health.report, lambda: backbone.ready)
        around = Surroundings(
            connections,
            apis,
            cases,
            visitors,
            links,
            heard.languages,
            heard.endings,
            heard.stages,
            heard.messages,
            availability,
        )
        works = (hearing_work(heard.webhooks, lease_s=settings.lease_s), *await runs_works(settings, backbone, around))
        watching = make_watching(backbone, connections, apis, visitors, heard, health=health, availability=availability)
        yield Parts(backbone, app, works, watching)
