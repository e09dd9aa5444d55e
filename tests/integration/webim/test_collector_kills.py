"""Operators' dialogs while workers and the server are killed: nothing lost, nothing doubled, nothing out of order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker.domain.dialogs import LIVECHAT_FINISHED
from broker.errors import BackboneError
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from tests.conftest import TIME_FACTOR
from tests.integration.webim.conftest import running_webim
from tests.integration.webim.test_collector import Desk
from tests.processes import free_port, worker_process
from tests.standins import webim_control

CHATS = 6
"""Enough to be read in pages."""
TURNS = 6
WAIT_S = 90.0 * TIME_FACTOR


@pytest_asyncio.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """One that may be killed."""
    async with nats_server(tmp_path / "nats") as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


@pytest.mark.parametrize("page_size", [pytest.param(2, id="small pages"), pytest.param(100, id="one page")])
async def test_dialogs_are_told_once_and_in_order_whatever_is_killed(
    own_server: EmbeddedServer, org: str, standin: webim_control.Webim, page_size: int
) -> None:
    changes = {"base_url_template": standin.url, "private_addresses": True}
    settings = {
        "HEIMDALL_WEBIM_BASE_URL_TEMPLATE": standin.url,
        "HEIMDALL_WEBIM_PRIVATE_ADDRESSES": "true",
        "HEIMDALL_WEBIM_PORT": str(free_port()),
    }
    async with running_webim(own_server.url, org, **changes) as webim:
        desk = Desk(webim, standin)
        await desk.begin()
        await desk.without_handler()
        await standin.configure(page_size=page_size)
        chats = [await desk.given_away(f"Hello {number}") for number in range(CHATS)]
        for turn in range(TURNS):
            with contextlib.ExitStack() as stack:
                other = stack.enter_context(worker_process("webim", own_server.url, **settings))
                await standin.fault(path="/api/v2/", delay_ms=40, count=CHATS)
                for chat in chats:
                    await standin.operator(chat.chat_id, f"word {turn}")
                    await standin.visitor(chat.chat_id, "ok")
                await asyncio.sleep(0.4 + 0.15 * turn)
                other.kill()
                other.wait()
                if turn % 2:
                    await own_server.kill()
                    await own_server.start()
        for chat in chats:
            await standin.close(chat.chat_id)
        words = [word for turn in range(TURNS) for word in (f"agent: word {turn}", "client: ok")]
        for chat in chats:
            await _wait_for_end(desk, chat.session)
            assert await desk.collected(chat.session) == [*words, "system: Chat closed by operator"]
            assert (await desk.said(chat.session)).count(LIVECHAT_FINISHED) == 1


async def _wait_for_end(desk: Desk, session: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(BackboneError):  # the server has just come back
                if LIVECHAT_FINISHED in await desk.said(session):
                    return
            await asyncio.sleep(0.2)
