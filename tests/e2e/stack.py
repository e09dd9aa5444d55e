"""A real `heimdall dev` process on ports and a data folder of its own, and what a developer asks it for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.cli.dev_folder import STATE_FILE
from broker.runtime.embedded import die_with_parent
from tests.conftest import TIME_FACTOR
from tests.processes import free_port

ROOT = Path(__file__).parents[2]
PROCESSES = Path("/proc")
READY_WAIT_S = 30.0
END_WAIT_S = 5.0
COMMAND_WAIT_S = 20.0
POLL_S = 0.02
WORKERS = ("linker", "expiry", "webchat", "demo")
SERVER = "nats-server"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run of `heimdall` gave back."""

    code: int
    records: list[Record]
    said: str


class Stack:
    """One `heimdall dev`: started, asked, hurt, ended. Its ports stay the same over a restart."""

    def __init__(self, folder: Path, *options: str, settings: dict[str, str] | None = None) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        self.nats_port = free_port()
        self._output = folder / "output.txt"
        self._options = options
        self._environment = {**os.environ, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def page_url(self) -> str:
        """The demo builder page."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def socket_url(self) -> str:
        """Where browsers open their WebSocket."""
        return f"ws://127.0.0.1:{self.port}/webchat/socket"

    @property
    def nats_url(self) -> str:
        """The embedded server."""
        return f"nats://127.0.0.1:{self.nats_port}"

    @property
    def output(self) -> str:
        """Everything that `heimdall dev` has printed so far, over all of its starts."""
        return self._output.read_text(encoding="utf-8") if self._output.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        ports = ("--port", str(self.port), "--nats-port", str(self.nats_port))
        arguments = [sys.executable, "-m", "broker.cli", "dev", "--data-dir", str(self.data_dir), *ports]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*arguments, *self._options],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A terminal's Ctrl-C goes to a whole group; this one is its own, and still ends with the tests.
                process_group=0,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - two system calls, nothing else
            )
        deadline_s = time.monotonic() + READY_WAIT_S * TIME_FACTOR
        while not (self.data_dir / STATE_FILE).exists():
            assert self._process.poll() is None, f"heimdall dev ended by itself:\n{self.output}"
            assert time.monotonic() < deadline_s, f"heimdall dev is not ready:\n{self.output}"
            time.sleep(POLL_S)

    def interrupt(self) -> float:
        """Ctrl-C as a terminal sends it, to the whole group; returns the seconds that the end took."""
        process = self._running()
        began_s = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=END_WAIT_S * TIME_FACTOR)
        return time.monotonic() - began_s

    def kill_all(self) -> None:
        """kill -9 `heimdall dev` itself; what it started has to notice."""
        process = self._running()
        process.kill()
        process.wait()
        (self.data_dir / STATE_FILE).unlink()  # it says when the next one is ready

    def end(self) -> None:
        """End it however it is now."""
        if self._process is not None and self._process.poll() is None:
            try:
                self.interrupt()
            finally:
                self._process.kill()
                self._process.wait()

    def pids(self) -> dict[str, int]:
        """The processes under it, by worker name; the server under its own."""
        if not PROCESSES.is_dir():
            pytest.skip(f"NO {PROCESSES}: killing the processes of a stack is tested on Linux only")
        found = {}
        for pid in _children_of(self._running().pid):
            arguments = _command_line(pid)
            for name in WORKERS:
                if f"workers.{name}" in arguments:
                    found[name] = pid
            if arguments and Path(arguments[0]).name == SERVER:
                found[SERVER] = pid
        return found

    def leftovers(self) -> list[int]:
        """Processes that still speak of this stack's data folder or its server."""
        marks = (str(self.data_dir), self.nats_url)
        return [pid for pid in _all_pids() if any(mark in _traces(pid) for mark in marks)]

    async def kill(self, name: str) -> int:
        """kill -9 one worker or the server, and wait until another one stands in its place; its pid."""
        os.kill(killed := await self._other_than(None, name), signal.SIGKILL)
        return await self._other_than(killed, name)

    async def _other_than(self, former: int | None, name: str) -> int:
        """Wait until a process of this name runs that is not the former one; its pid."""
        deadline_s = time.monotonic() + READY_WAIT_S * TIME_FACTOR
        while (found := self.pids().get(name)) in {None, former}:
            assert time.monotonic() < deadline_s, f"{name} was not started again:\n{self.output}"
            await asyncio.sleep(POLL_S)
        assert found is not None
        return found

    async def heimdall(self, *arguments: str) -> Answer:
        """Run one command as a developer would in a second terminal, with --json."""
        process = await asyncio.create_subprocess_exec(
            *self.command_line(*arguments),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_WAIT_S * TIME_FACTOR):
            out, said = await process.communicate()
        assert process.returncode is not None
        return Answer(process.returncode, [json.loads(line) for line in out.splitlines()], said.decode())

    def command_line(self, *arguments: str) -> list[str]:
        """`heimdall …` against this stack, as JSON lines."""
        return [sys.executable, "-m", "broker.cli", *arguments, "--json", "--nats-url", self.nats_url]

    async def stubs(self) -> list[Record]:
        """`heimdall stubs`."""
        return await self._asked("stubs")

    async def links(self, session: str) -> list[Record]:
        """`heimdall links`, those of one session."""
        return [link for link in await self._asked("links") if link["session"] == session]

    async def log(self, *options: str) -> list[Record]:
        """`heimdall tap` of everything that is stored, in order; ``options`` narrow it."""
        return await self._asked("tap", "stubber.systems.>", "--nats", "--since", "all", "--no-follow", *options)

    async def log_of(self, session: str) -> list[Record]:
        """As log(), of one session."""
        return await self.log("--session", session)

    async def _asked(self, *arguments: str) -> list[Record]:
        answer = await self.heimdall(*arguments)
        assert answer.code == 0, answer.said
        return answer.records

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "heimdall dev was not started"
        assert self._process.poll() is None, f"heimdall dev ended by itself:\n{self.output}"
        return self._process


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdigit()]


def _children_of(parent: int) -> list[int]:
    return [pid for pid in _all_pids() if _parent_of(pid) == parent]


def _parent_of(pid: int) -> int | None:
    try:
        # The name of the program stands in brackets and may hold anything; what follows it is plain.
        return int((PROCESSES / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return None


def _command_line(pid: int) -> list[str]:
    try:
        return (PROCESSES / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _traces(pid: int) -> str:
    """What a process was started with, arguments and environment."""
    try:
        environment = (PROCESSES / str(pid) / "environ").read_bytes().decode(errors="replace")
    except OSError:
        environment = ""
    return " ".join(_command_line(pid)) + environment
