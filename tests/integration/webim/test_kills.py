"""Webim's calls while their worker is killed: what was answered with 200 is in the log, once, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2

from broker.runtime.embedded import EmbeddedServer
from tests.conftest import TIME_FACTOR
from tests.integration.webim.conftest import Webim
from tests.processes import free_port, worker_process

CHATS = 6
MESSAGES = 15
KILLS = 3


async def test_a_worker_that_is_killed_again_and_again_loses_doubles_and_reorders_nothing(
    webim: Webim, server: EmbeddedServer
) -> None:
    await webim.put_channel(service="shop-1")
    port = free_port()
    async with _killed_again_and_again(server.url, port):
        async with asyncio.timeout(90 * TIME_FACTOR):
            await asyncio.gather(*(_talk(webim, port, f"chat-{number}") for number in range(CHATS)))
    said: dict[str, list[str]] = {}
    sessions: dict[str, set[str]] = {}
    for question in await webim.questions():
        said.setdefault(question["conversation_id"], []).append(question["query"])
        sessions.setdefault(question["conversation_id"], set()).add(question["session_id"])
    expected = ["hello", *(str(number) for number in range(MESSAGES))]
    assert said == {f"chat-{number}": expected for number in range(CHATS)}
    assert {len(found) for found in sessions.values()} == {1}
    assert (await webim.kinds()).count("stubsession.set") == CHATS


async def _talk(webim: Webim, port: int, chat: str) -> None:
    """One visitor: the next thing is said once the last one was taken; Webim repeats what was not."""
    hello = {"kind": "visitor", "text": "hello"}
    await _post(webim, port, {"event": "new_chat", "chat": {"id": chat}, "messages": [hello]})
    for number in range(MESSAGES):
        message = {"kind": "visitor", "text": str(number), "id": f"{chat}-{number}"}
        await _post(webim, port, {"event": "new_message", "chat_id": chat, "message": message})


async def _post(webim: Webim, port: int, body: dict[str, object]) -> None:
    url = f"http://127.0.0.1:{port}/chatapi/webim/{webim.channel.access_token}"
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if (await webim.client.post(url, json=body)).status_code == 200:
                return
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def _killed_again_and_again(url: str, port: int) -> AsyncIterator[None]:
    """A worker process that dies in the middle of its work, a few times, and is started again each time."""
    done = asyncio.Event()

    async def keep() -> None:
        for life in range(KILLS + 1):
            with contextlib.ExitStack() as stack:
                process = await asyncio.to_thread(
                    lambda: stack.enter_context(worker_process("webim", url, HEIMDALL_WEBIM_PORT=str(port)))
                )
                if life == KILLS:
                    await done.wait()
                    continue
                await asyncio.sleep(0.1)  # into the middle of the talk
                process.kill()
                process.wait()

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        done.set()
        await keeping
