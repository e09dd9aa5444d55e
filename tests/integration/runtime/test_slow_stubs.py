"""A slow or absent stub holds up only itself: the others answer, memory stays bounded, nothing is lost or reordered."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict

from broker import Run, Service
from broker.codec import encode
from broker.domain.ids import ActionName
from broker.domain.subjects import DeliverySubject, partition_of
from broker.runtime.embedded import EmbeddedServer
from broker.transport.pull import Delivery
from broker.transport.topology import ACK_PENDING_MAX, SERVICE_PARTITIONS
from tests.conftest import Eventually
from tests.integration.runtime.serving import Served, serving, unserved

WAITING = 3_000
"""More than a consumer's usual bound, and than what one process has in hand."""
BODY_BYTES = 4_000


def names_in_one_partition(served: Served, count: int) -> list[str]:
    found: list[str] = []
    number = 0
    while len(found) < count:
        name = f"stub-{number}"
        if partition_of((served.org, served.service.name, name), SERVICE_PARTITIONS) == 0:
            found.append(name)
        number += 1
    return found


async def test_three_thousand_runs_behind_a_stub_that_stands_still_hold_up_nobody_else(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    assert WAITING > ACK_PENDING_MAX
    service, gate = Service("slow"), asyncio.Event()
    done: dict[str, list[int]] = defaultdict(list)

    @service.action("wait")
    async def wait(run: Run) -> None:
        await gate.wait()
        done[run.stub.ref].append(int(run.message.strip()))

    @service.action("answer")
    async def answer(run: Run) -> None:
        done[run.stub.ref].append(int(run.message.strip()))

    async with unserved(service, server.url, org) as place:
        slow, *others = [await place.stub(name) for name in names_in_one_partition(place, 5)]
        subject = str(DeliverySubject(place.org, slow, ActionName("wait")))
        for number in range(WAITING):
            body = encode({"stubpost": {"message": str(number).rjust(BODY_BYTES), "data": {}}})
            await place.backbone.publisher.submit(subject, body)
        await place.backbone.publisher.flush()
        for number in range(20):
            for stub in others:
                await place.send(stub, "answer", str(number))

    async with serving(service, server.url, org, run_limit_s=3_600):
        await eventually(lambda: sum(map(len, done.values())) == 80, within_s=20)
        held = [one for one in gc.get_objects() if type(one) is Delivery]  # isinstance() would ask dead weak proxies
        assert len(held) >= WAITING
        assert sum(len(one.data) for one in held) < 300 * BODY_BYTES  # of three thousand
        assert slow.ref not in done
    assert slow.ref not in done  # cut off at the stop, and given back
    gate.set()
    async with serving(service, server.url, org, run_limit_s=3_600):
        await eventually(lambda: len(done[slow.ref]) >= WAITING, within_s=60)
    assert done == {slow.ref: list(range(WAITING)), **{stub.ref: list(range(20)) for stub in others}}
