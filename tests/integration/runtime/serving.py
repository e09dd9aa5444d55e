"""A service in this process, on the real bus, and what its stubs have got and left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

from broker import Service
from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ActionName, OrgId, Stub, stubref
from broker.domain.subjects import DeliverySubject
from broker.kit.bus import ServiceBus
from broker.kit.main import ServiceSettings, serve_until
from broker.kit.records import StubRecord, stubs_bucket
from broker.runtime.backbone import Backbone, open_backbone
from broker.transport.ensure import ensure_bucket, ensure_consumers
from broker.transport.letters import Letter, Selection, letters
from broker.transport.topology import DELIVERIES, service_consumers
from tests.conftest import TIME_FACTOR


@dataclass(frozen=True, slots=True)
class Served:
    """A running service, and a sender of runs."""

    backbone: Backbone
    bus: ServiceBus
    service: Service

    @property
    def org(self) -> OrgId:
        return self.bus.org

    async def stub(self, name: str, *, state: str = "new", closed: bool = False) -> Stub:
        """A stub of the service."""
        stub = Stub(self.service.name, stubref(name))
        record = StubRecord(
            stubref=stub.ref, context="default", branch="draft", created_at_ms=1, state=state, closed=closed
        )
        await self.bus.create(stub, record)
        return stub

    async def send(self, stub: Stub, action: str, message: str = "", headers: Mapping[str, str] | None = None) -> int:
        """A run for it; its sequence."""
        subject = str(DeliverySubject(self.org, stub, ActionName(action)))
        body = encode({"stubpost": {"message": message, "data": {}}})
        named = {names.MESSAGE_ID: str(uuid4()), **(headers or {})}
        return (await self.backbone.publisher.store(subject, body, named)).sequence

    async def dead(self) -> list[Letter]:
        """The org's dead letters."""
        return [letter async for letter in letters(self.backbone.connection, Selection(org=self.org))]

    async def unsettled(self) -> int:
        """How many runs of the service are not at their end."""
        count = 0
        for spec in service_consumers(self.org, self.service.name):
            info = await self.backbone.connection.ask(f"CONSUMER.INFO.{DELIVERIES}.{spec.name}")
            count += int(info["num_ack_pending"]) + int(info["num_pending"])
        return count


@contextlib.asynccontextmanager
async def unserved(service: Service, url: str, org: str) -> AsyncIterator[Served]:
    """The service's place on the bus, and nobody who takes its runs."""
    settings = ServiceSettings(nats_url=url, org=org)
    async with open_backbone(settings, name="test") as backbone:
        await ensure_bucket(backbone.connection, stubs_bucket(service.name))
        await ensure_consumers(backbone.connection, DELIVERIES, service_consumers(org, service.name))
        yield Served(backbone, ServiceBus(backbone.connection, backbone.publisher, OrgId(org), service.name), service)


@contextlib.asynccontextmanager
async def serving(service: Service, url: str, org: str, **settings: object) -> AsyncIterator[Served]:
    """The service, ready; ended in good order with the block."""
    checked = ServiceSettings(nats_url=url, org=org).model_copy(update=settings)
    stop = asyncio.Event()
    async with open_backbone(checked, name=service.name) as backbone:
        task = asyncio.create_task(serve_until(service, checked, backbone, stop))
        try:
            async with asyncio.timeout(10 * TIME_FACTOR):
                await backbone.started.wait()
            yield Served(
                backbone, ServiceBus(backbone.connection, backbone.publisher, OrgId(org), service.name), service
            )
        finally:
            stop.set()
            async with asyncio.timeout(10 * TIME_FACTOR):
                await task
