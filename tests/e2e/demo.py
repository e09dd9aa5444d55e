"""A demo of `heimdall demo` as a developer starts it, in a pipe, and the lines that it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import broker
from tests.conftest import TIME_FACTOR, poll

PLAY_WAIT_S = 90.0
ROOT = Path(broker.__file__).parents[1]

Record = dict[str, Any]
Told = tuple[str, str, str]
"""Who, did what, and a part of the text."""


class Demo:
    """The command in a pipe; its JSON lines as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.records: list[Record] = []
        self.said = ""
        self.reading = asyncio.gather(self._read(), self._read_said())

    def tells(self, who: str, did: str, text: str = "") -> bool:
        """Whether there is such a line by now."""
        return any(_is(one, (who, did, text)) for one in self.records)

    async def until(self, who: str, did: str, text: str = "") -> None:
        """Wait for such a line."""
        assert self.process.returncode is None, self.said
        await poll(lambda: self.tells(who, did, text) or self.process.returncode is not None, within_s=PLAY_WAIT_S)
        assert self.tells(who, did, text), f"{self.records}\n{self.said}"

    async def type(self, line: str) -> None:
        """A line on its terminal."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(PLAY_WAIT_S * TIME_FACTOR):
            code = await self.process.wait()
            await self.reading
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.records.append(json.loads(line))

    async def _read_said(self) -> None:
        assert self.process.stderr is not None
        self.said = (await self.process.stderr.read()).decode()


def _is(record: Record, told: Told) -> bool:
    who, did, text = told
    return record["who"] == who and record["did"] == did and text in record["text"]


def missing_in_order(records: Iterable[Record], told: Iterable[Told]) -> list[Told]:
    """Which of these lines do not come, or not in this order."""
    left, rest = list(told), iter(records)
    while left and any(_is(record, left[0]) for record in rest):
        left.pop(0)
    return left


@contextlib.asynccontextmanager
async def demo(name: str, *arguments: str) -> AsyncIterator[Demo]:
    """`heimdall demo NAME` with these arguments; killed with the block unless it has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker.cli", "demo", name, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "HEIMDALL_LOG_LEVEL": "info"},
    )
    running = Demo(process)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await running.reading


def processes_naming(text: str) -> list[int]:
    """Processes that were started with this text in their arguments or settings."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            traces = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if text.encode() in traces and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found
