"""`heimdall demo webim` tells a whole conversation, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import broker
from tests.conftest import TIME_FACTOR, poll

PLAY_WAIT_S = 90.0
END_WAIT_S = 15.0
ROOT = Path(broker.__file__).parents[1]

Record = dict[str, Any]
Told = tuple[str, str, str]
"""Who, did what, and a part of the text."""

CONVERSATION: list[Told] = [
    ("heimdall", "ready", ""),
    ("heimdall", "created", "Webim (Custom Channel API)"),
    ("heimdall", "deployed", "service shop-"),
    ("visitor", "opened", "says nothing yet"),
    ("log", "notice", "newChatStarted"),
    ("visitor", "wrote", "Hello"),
    ("log", "firstmessage", "Hello"),
    ("program", "answered", "You wrote 'Hello', at the shop's front page"),
    ("program", "answered", "[Delivery] [Return]"),
    ("visitor", "pressed", "[Delivery]"),
    ("log", "message", "Delivery"),
    ("program", "answered", "You wrote 'Delivery', at the shop's front page"),
    ("visitor", "wrote", "operator"),
    ("log", "notice", "livechatStarted"),
    ("log", "cancelled", "shop-"),
    ("program", "answered", "One moment, a colleague takes over"),
    ("webim", "moved", "sales"),
    ("operator", "wrote", "what can I do for you?"),
    ("visitor", "wrote", "Where is my parcel?"),
    ("webim", "kept", "the program is not told"),
    ("operator", "wrote", "It comes tomorrow."),
    ("operator", "closed", ""),
]
COLLECTED = ["what can I do for you?", "Where is my parcel?", "It comes tomorrow."]


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
async def demo(*arguments: str) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker.cli", "demo", "webim", *arguments),
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


async def test_the_demo_tells_a_whole_conversation_and_ends(tmp_path: Path) -> None:
    async with demo("--data-dir", str(tmp_path / "data")) as running:
        assert await running.ended() == 0, running.said
        assert missing_in_order(running.records, CONVERSATION) == []
        log = [one["text"] for one in running.records if one["who"] == "log" and one["did"] == "notice"]
        collected = [text for text in log if "operatorDialog" in text]
        for text in COLLECTED:
            assert sum(text in one for one in collected) == 1, collected
        finished = ("log", "notice", "livechatFinished")
        assert missing_in_order(running.records, [("operator", "closed", ""), finished, ("log", "ended", "")]) == []
        assert running.tells("heimdall", "ended", "--keep")
        assert all(one["status"] == 200 for one in running.records if one["did"] == "called")
        assert processes_naming(str(tmp_path)) == []


async def test_with_keep_each_line_that_is_typed_is_the_visitors(tmp_path: Path) -> None:
    async with demo("--keep", "--data-dir", str(tmp_path / "data")) as running:
        await running.until("heimdall", "kept")
        hints = [one["text"] for one in running.records if one["did"] == "hinted"]
        assert any("export HEIMDALL_NATS_URL=nats://" in hint for hint in hints)
        await running.type("Is anybody there?")
        await running.until("visitor", "opened", "Is anybody there?")
        await running.until("program", "answered", "You wrote 'Is anybody there?', at the shop's front page")
        await running.type("/press return")
        await running.until("program", "answered", "You wrote 'Return'")
        await running.type("/press nothing")
        await running.until("heimdall", "refused", "[Delivery] [Return]")
        await running.type("/opertor hello")
        await running.until("heimdall", "refused", "there is no /opertor: /press TEXT")
        await running.type("bye")
        await running.until("program", "answered", "Goodbye")
        await running.until("log", "ended")
        await running.type("/close")
        await running.until("heimdall", "refused", "no chat is open")
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_WAIT_S * TIME_FACTOR):
            assert await running.ended() == 0
        await poll(lambda: processes_naming(str(tmp_path)) == [], within_s=END_WAIT_S)


def test_without_the_source_tree_there_is_one_clear_sentence(tmp_path: Path) -> None:
    for package in ("broker", "workers"):
        (tmp_path / package).symlink_to(ROOT / package)
    done = subprocess.run(
        [sys.executable, "-m", "broker.cli", "demo", "webim"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("heimdall: the simulated outside system (tests.standins.webim) is part of the source")
    assert done.stderr.count("\n") == 1
