"""A service's stubs on the real bucket: what an action did wrong costs its own run, never the stub."""

from __future__ import annotations

from typing import Any

import pytest

from broker import Run, Service
from broker.codec import encode
from broker.domain.ids import ActionName, OrgId, Stub, stubref
from broker.domain.subjects import DeliverySubject
from broker.errors import BodyError
from broker.kit.bus import ServiceBus
from broker.kit.handling import HandleRun
from broker.kit.records import StubRecord, stubs_bucket
from broker.runtime.deadletters import Original
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.topology import DELIVERIES


@pytest.mark.parametrize("unreadable", [b"bytes", {1: "a number as a key"}])
async def test_a_memory_that_could_not_be_read_again_fails_its_run_and_not_the_stub(
    connection: Connection, publisher: Publisher, org: str, unreadable: Any
) -> None:
    service = Service("keeper")

    @service.action("spoil")
    async def spoil(run: Run) -> None:
        run.memory["it"] = unreadable

    @service.action("count")
    async def count(run: Run) -> None:
        run.memory["count"] = run.memory.get("count", 0) + 1

    await ensure_bucket(connection, stubs_bucket(service.name), replicas=1)
    bus = ServiceBus(connection, publisher, OrgId(org), service.name)
    stub = Stub(service.name, stubref("one"))
    await bus.create(stub, StubRecord(stubref=stub.ref, context="default", branch="draft", created_at_ms=1))
    handle = HandleRun(service, bus)

    async def run(action: str, sequence: int) -> None:
        subject = DeliverySubject(OrgId(org), stub, ActionName(action))
        await handle(Original(str(subject), DELIVERIES, sequence, encode({"stubpost": {}}), {}, 1))

    await run("count", 1)
    with pytest.raises(BodyError):
        await run("spoil", 2)
    await run("count", 3)
    record, _ = await bus.load(stub)
    assert record is not None
    assert record.data == {"count": 2}


async def test_a_start_ends_although_runs_write_its_stub_meanwhile(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    """Found by `heimdall bench chaos`: under traffic the demo program never became ready again."""
    service = Service("busy")
    stub = Stub(service.name, stubref("create-draft"))

    @service.at_start("create")
    async def begin(_run: Run) -> None:
        record, revision = await bus.load(stub)
        assert record is not None
        await bus.save(stub, record.model_copy(update={"last_sequence": 7}), revision=revision)  # a run, meanwhile

    await ensure_bucket(connection, stubs_bucket(service.name), replicas=1)
    bus = ServiceBus(connection, publisher, OrgId(org), service.name)
    await service.start(bus)
    record, _ = await bus.load(stub)
    assert record is not None
    assert record.last_sequence == 7
