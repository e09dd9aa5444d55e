"""The simulated Webim of the source tree as a child process, and what the demo asks of it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

import broker
from broker.errors import NoStandInError, StandInFailedError
from broker.runtime.embedded import die_with_parent
from broker.runtime.settings import child_environment

MODULE = "tests.standins.webim"
START_WAIT_S = 20.0
STOP_WAIT_S = 2.0
ORDER_WAIT_S = 30.0

Record = dict[str, Any]


def standin_root() -> Path:
    """The folder of the source tree.

    Raises:
        NoStandInError: this is an installed package, and has no stand-in.
    """
    root = Path(broker.__file__).parents[1]
    if not (root / Path(*MODULE.split(".")) / "__main__.py").is_file():
        raise NoStandInError(MODULE)
    return root


class SimulatedWebim:
    """One account of a Webim that is not there; the names of the orders are those of specs/webim.md section 9.3."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def configure(self, **changes: object) -> None:
        """Set the account up."""
        await self._post("/config", changes)

    async def open_chat(self, **order: object) -> Record:
        """A visitor comes; the chat's id and the deliveries."""
        return await self._post("/chats", order)

    async def act(self, chat_id: object, what: str, **order: object) -> Record:
        """The visitor or an operator does something: ``visitor``, ``operator``, ``close``, ``return-to-bot``."""
        return await self._post(f"/chats/{chat_id}/{what}", order)

    async def chat(self, chat_id: object) -> Record:
        """The chat with its owner and its messages."""
        return await self._ask("GET", f"/chats/{chat_id}", None)

    async def _post(self, path: str, body: Mapping[str, object]) -> Record:
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> Record:
        try:
            answer = await self._client.request(method, f"/_sim{path}", json=body)
        except httpx2.HTTPError as error:
            raise StandInFailedError(f"{path}: {type(error).__name__}") from error
        found: Record = answer.json()
        if answer.is_error:
            raise StandInFailedError(f"{path}: {found.get('error')}")
        return found


@contextlib.asynccontextmanager
async def simulated_webim(root: Path) -> AsyncIterator[SimulatedWebim]:
    """Run it until the end of the block.

    Raises:
        StandInFailedError: it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", MODULE, "--with-stdin"),
        cwd=root,
        env=child_environment({}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Ctrl-C in a terminal goes to the whole group; it is ended after the workers that call it.
        process_group=0,
        preexec_fn=die_with_parent(),
    )
    try:
        url = f"http://127.0.0.1:{await _port(process)}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=ORDER_WAIT_S) as client:
            yield SimulatedWebim(url, client)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_WAIT_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(START_WAIT_S):
            return int(json.loads(await process.stdout.readline())["port"])
    except (TimeoutError, ValueError) as error:
        raise StandInFailedError("it did not say its port") from error
