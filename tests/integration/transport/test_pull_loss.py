"""What a pull loop does when a message goes astray between the server and us."""

from __future__ import annotations

import json

import pytest

from broker.transport.connection import Connection
from broker.transport.pull import Delivery, PullLoop
from broker.transport.topology import CONVERSATIONS
from tests.conftest import Eventually
from tests.integration.transport.conftest import store


@pytest.mark.parametrize(
    "after", [pytest.param(0, id="hardly anything comes after it"), pytest.param(6, id="more comes after it")]
)
async def test_a_message_that_went_astray_comes_again_before_its_successors_are_taken(
    connection: Connection, consumer: str, org: str, eventually: Eventually, after: int
) -> None:
    seen: list[tuple[int, bytes]] = []

    async def accept(delivery: Delivery) -> None:
        seen.append((delivery.generation, delivery.data))
        await delivery.ack()

    async with PullLoop(connection, CONVERSATIONS, consumer, accept) as loop:
        await store(connection, org, 3)
        await eventually(lambda: len(seen) == 3)
        # Requests are served in turn, so this one, which nobody reads the answer of, takes one of the next two.
        request = json.dumps({"batch": 1, "expires": 30_000_000_000}).encode()
        next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{CONVERSATIONS}.{consumer}"
        await connection.subscribe(f"astray.{org}", _nobody)
        await connection.publish(next_subject, request, reply=f"astray.{org}")
        await store(connection, org, 2 + after)
        await eventually(lambda: len({*seen[3:]}) >= 2 + after and loop.generation > 1)
    bodies = [body for _, body in seen[3:]]
    assert list(dict.fromkeys(bodies)) == [b"%d" % number for number in range(2 + after)]


async def _nobody(_: object) -> None:
    """Takes a message and does nothing with it, as a lost one."""
