"""What one run publishes keeps its order, whatever becomes of the server meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from broker.domain.ids import ActionName, ServiceName, Stub, Stubref
from broker.domain.subjects import Conversation, Kind
from broker.errors import BusError
from broker.kit.bus import ServiceBus
from broker.kit.messages import text
from broker.kit.records import StubRecord
from broker.kit.run import Cause, Run
from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.integration.routing.conftest import Chat

STUB = Stub(ServiceName("svc"), Stubref("desk"))


def run_of(bus: ServiceBus, conversation: Conversation) -> Run:
    """The same run each time."""
    record = StubRecord(stubref=STUB.ref, context="default", branch="draft", created_at_ms=0)
    return Run(bus, STUB, record, Cause("run-1", ActionName("greet"), conversation=conversation))


async def test_a_message_that_was_lost_with_the_server_is_not_stored_behind_the_next_of_its_run(
    tmp_path: Path, org: str
) -> None:
    async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher:
            chat = Chat(connection, publisher, org)
            conversation = chat.conversation()
            bus = ServiceBus(connection, publisher, chat.org, STUB.service)
            run = run_of(bus, conversation)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGSTOP)  # it takes the message in, and never gets to it
            await run.notify(text("first"))
            await asyncio.sleep(0.1)
            await server.kill()
            await server.start()
            with pytest.raises(BusError):
                await _finished(run)
            run = run_of(bus, conversation)  # it is tried again
            await run.notify(text("first"))
            await _finished(run)
            found = await chat.facts(conversation, Kind.NOTIFICATION)
            said = [body["platforms"]["webchat"]["webchat_message"]["value"] for body in found]
            assert said == ["first", "second"]


async def _finished(run: Run) -> None:
    await run.notify(text("second"))
    await run.finish()
