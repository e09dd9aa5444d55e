"""A simulated outside system of the source tree as a child process, and what is asked of it over HTTP."""

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

START_WAIT_S = 20.0
STOP_WAIT_S = 2.0
ORDER_WAIT_S = 30.0

Record = dict[str, Any]


def standin_root(module: str) -> Path:
    """The folder of the source tree.

    Raises:
        NoStandInError: this is an installed package, and has no stand-in.
    """
    root = Path(broker.__file__).parents[1]
    if not (root / Path(*module.split(".")) / "__main__.py").is_file():
        raise NoStandInError(module)
    return root


class ControlPlane:
    """Where a stand-in takes orders; ``prefix`` stands before each path."""

    def __init__(self, client: httpx2.AsyncClient, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    async def get(self, path: str) -> Record:
        """What is there."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, object]) -> Record:
        """Have something done.

        Raises:
            StandInFailedError: it is refused, or there is no answer.
        """
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> Record:
        try:
            answer = await self._client.request(method, f"{self._prefix}{path}", json=body)
        except httpx2.HTTPError as error:
            raise StandInFailedError(f"{path}: {type(error).__name__}") from error
        found: Record = answer.json()
        if answer.is_error:
            raise StandInFailedError(f"{path}: {found.get('error')}")
        return found


@contextlib.asynccontextmanager
async def control_plane(url: str, prefix: str = "") -> AsyncIterator[ControlPlane]:
    """Speak to the one at this address until the end of the block."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=ORDER_WAIT_S) as client:
        yield ControlPlane(client, prefix)


@contextlib.asynccontextmanager
async def standin_process(root: Path, module: str) -> AsyncIterator[dict[str, int]]:
    """Run it until the end of the block; the ports that it says it has, such as ``port``.

    Raises:
        StandInFailedError: it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, "--with-stdin"),
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
        yield await _ports(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WAIT_S):
                await process.wait()
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _ports(process: asyncio.subprocess.Process) -> dict[str, int]:
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(START_WAIT_S):
            said: dict[str, int] = json.loads(await process.stdout.readline())
            return {name: int(port) for name, port in said.items()}
    except (TimeoutError, ValueError, AttributeError) as error:
        raise StandInFailedError("it did not say its port") from error
