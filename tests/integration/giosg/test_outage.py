"""The broker goes away under the whole worker: what giosg has to tell comes again, and reaches the visitor once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from tests.conftest import poll
from tests.integration.giosg.conftest import running_desk
from tests.integration.giosg.talking import begin
from tests.processes import worker_process
from tests.standins.giosg_control import Giosg


async def test_check_20_what_an_agent_wrote_while_the_broker_was_down_reaches_the_visitor_once(
    giosg: Giosg, org: str, tmp_path: Path
) -> None:
    """Reconciliation is off: it is giosg's own second try that brings it."""
    async with nats_server(tmp_path / "nats") as own:
        async with connect(own.url, name="test-topology") as connection:
            await ensure(connection)
        with worker_process("linker", own.url):
            async with running_desk(own.url, org, giosg, tmp_path, reconcile_seconds=0) as desk:
                await desk.subscribe()
                talk = await begin(desk)
                await giosg.join(talk.chat_id)
                await talk.until_worked_off()
                await giosg.webhooks(retry_schedule_ms=[300] * 200)
                await own.stop()
                saying = asyncio.create_task(giosg.say(talk.chat_id, "Still there?"))
                await poll(lambda: _was_sent_away(giosg), within_s=15)
                await own.start()
                await saying
                await talk.until_heard("Still there?")
                await talk.until_worked_off()
                assert await desk.heard(talk.conversation) == ["Still there?"]


async def _was_sent_away(giosg: Giosg) -> bool:
    return 503 in [one.status for one in await giosg.deliveries()]
