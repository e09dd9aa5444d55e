"""A text that giosg takes only after its sender has gone: whoever comes next waits for it, and does not repeat it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.subjects import STUBS
from broker.runtime.deadletters import Original
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import DELIVERIES, PARTITIONS, STUBSESSIONS
from tests.integration.giosg.conftest import CONNECTION, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.integration.giosg.talking import Talk, begin
from tests.standins.giosg_control import Giosg
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.file import load_connections
from workers.giosg.runs import marks
from workers.giosg.runs.history import History
from workers.giosg.runs.sending import TextSender
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk as Work
from workers.giosg.runs.talks import Talks
from workers.giosg.telling.links import Links

EVENT = 1_000_000
TEXT = "are you there?"


@pytest.mark.parametrize("has_stranger", [False, True], ids=["", "an echo of another device is known already"])
async def test_a_text_under_way_when_its_worker_ended_is_waited_for(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path, *, has_stranger: bool
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, http_timeout_seconds=4) as desk:
        await desk.subscribe()
        talk = await begin(desk)
        if has_stranger:
            await giosg.visitor_says(talk.chat_id, "from my phone")
            await talk.until_worked_off()
        async with _taken_over(talk, tmp_path) as work:
            await work.change(lambda case: marks.sending(case, EVENT, 0, now_ms()))
            await giosg.fault(method="POST", path="/messages", delay_ms=1_500)
            sending = asyncio.create_task(work.calls.send(talk.chat_id, TEXT))
            sender = TextSender(echo_wait_s=0.5)
            await sender.settle(work, TEXT, EVENT)
            assert sender.has_sent(work, TEXT, EVENT)
            await sending
        assert (await giosg.chat(talk.chat_id)).texts("visitor").count(TEXT) == 1


@contextlib.asynccontextmanager
async def _taken_over(talk: Talk, folder: Path) -> AsyncIterator[Work]:
    """The work on the text's run, in another process than the one that began it."""
    desk, conversation = talk.desk, talk.conversation
    connections = load_connections(folder / "giosg.toml", {})
    async with hearing_elsewhere(desk, folder) as elsewhere:
        history = History(desk.backbone.connection, partitions=PARTITIONS)
        standings = Standings(Links(desk.backbone.publisher, desk.backbone.records(STUBSESSIONS)), history)
        talks = Talks(connections, elsewhere.apis, desk.cases, elsewhere.parts.stages, history, standings)
        original = Original(
            subject=f"{STUBS}.org.{desk.org}.service.giosg.stubref.{CONNECTION}.action._update_from_webchat",
            stream=DELIVERIES,
            sequence=EVENT,
            data=encode({"stubpost": {"message": TEXT, "data": {}}}),
            headers={names.CONVERSATION: conversation.prefix, names.EVENT: str(EVENT)},
            stored_at_ms=now_ms(),
            attempts=1,
        )
        work = await talks.begin(original)
        assert work is not None
        yield work
