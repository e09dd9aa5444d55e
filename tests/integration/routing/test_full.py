"""A full log: publishers are told, workers wait, and once there is room everything goes on with nothing lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.domain.subjects import Kind
from broker.errors import StreamFullError
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from broker.transport.topology import CONVERSATIONS
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.processes import worker_process

LOG_BYTES_MAX = 60_000
TEXT = "x" * 1_000
SHORT_HOURS = 1 / 3600


async def fill(chat: Chat) -> list[int]:
    """Write until the log is full; the sequences of what was stored."""
    conversation = chat.conversation()
    found = [await chat.open(conversation)]
    while True:
        try:
            found.append(await chat.say(conversation, TEXT))
        except StreamFullError:
            return found


async def state_of(connection: Connection) -> dict[str, int]:
    found: dict[str, int] = (await connection.ask(f"STREAM.INFO.{CONVERSATIONS}"))["state"]
    return found


async def test_a_full_log_refuses_and_goes_on_with_nothing_lost_when_there_is_room(tmp_path: Path, org: str) -> None:
    bound = {"HEIMDALL_LOG_BYTES_MAX": str(LOG_BYTES_MAX)}
    async with nats_server(tmp_path) as own:
        with worker_process("linker", own.url, **bound), worker_process("expiry", own.url, **bound):
            async with connect(own.url, name="test") as connection, open_publisher(connection) as publisher:
                chat = Chat(connection, publisher, org)
                conversation = chat.conversation()
                await chat.link_after_open(conversation, "svc.A")
                await chat.say(conversation, "before")
                await chat.expect_runs(1)
                await chat.link(conversation, "svc.A", hours=SHORT_HOURS)
                stored = await fill(chat)
                state = await state_of(connection)
                assert state["first_seq"] == 1  # nothing older was thrown away
                with pytest.raises(StreamFullError, match=r"stubber\.systems\.notifications is full"):
                    await chat.say(conversation, "too much")
                # The link's time is up about now: expiry and linker cannot say so yet, and wait.
                await asyncio.sleep(1)
                await ensure(connection, log_bytes_max=10 * LOG_BYTES_MAX)

                async def expired() -> bool:
                    return len(await chat.facts(conversation, Kind.EXPIRED)) == 1

                await poll(expired, 15)
                await chat.say(conversation, "after", Kind.FIRSTMESSAGE)
                await chat.settled()
                assert stored[1] in [letter["sequence"] for letter in await chat.dead()]
                assert len(await chat.runs()) == 1
                assert (await state_of(connection))["first_seq"] == 1
