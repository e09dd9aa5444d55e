from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.runtime.embedded import free_port
from tests.conftest import TIME_FACTOR, Eventually

READY_WAIT_S = 30.0
STOP_S_MAX = 3.0
CHILDREN = 7  # the server and six workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Dev:
    """One `heimdall dev` as a person starts it, with what it says."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self.said = ""
        self.ever: set[int] = set()
        self._reading = asyncio.create_task(self._read())

    async def ready(self) -> str:
        """What it had said when everything was ready."""
        return await self.says(r"Ctrl-C ends it.*\n", READY_WAIT_S)

    async def says(self, pattern: str, within_s: float = 10.0) -> str:
        """Everything it said, once the pattern is in it."""
        deadline = time.monotonic() + within_s * TIME_FACTOR
        while not re.search(pattern, self.said):
            assert time.monotonic() < deadline, self.said
            assert self.process.returncode is None, self.said
            self.children()
            await asyncio.sleep(0.02)
        return self.said

    def children(self) -> dict[str, int]:
        """Process ids by worker, and of the server."""
        found = {}
        with contextlib.suppress(OSError):
            pid = self.process.pid
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                    found[next((word for word in words if word.startswith("workers.")), "server")] = int(child)
        self.ever |= set(found.values())
        return found

    def left_behind(self) -> set[int]:
        """Those of its processes that still run."""
        return {pid for pid in self.ever if _runs(pid)}

    async def stop(self, number: signal.Signals) -> float:
        """Signal it; how long it took to end."""
        self.children()
        started_s = time.monotonic()
        self.process.send_signal(number)
        await asyncio.wait_for(self.process.wait(), 20 * TIME_FACTOR)
        return time.monotonic() - started_s

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while piece := await self.process.stdout.read(4096):
            self.said += piece.decode()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.asynccontextmanager
async def dev(data_dir: Path, *arguments: str) -> AsyncIterator[Dev]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker.cli", "dev", "--data-dir", str(data_dir), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HEIMDALL_LOG_LEVEL": "info"},
        start_new_session=True,
    )
    running = Dev(process, data_dir)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await running._reading


def ports() -> tuple[str, ...]:
    return "--port", str(free_port()), "--nats-port", str(free_port()), "--webim-port", str(free_port())


async def test_it_says_where_everything_is_and_leaves_no_process_behind(tmp_path: Path) -> None:
    async with dev(tmp_path / "data", *ports()) as running:
        said = await running.ready()
        assert re.search(r"heimdall is ready after \d+\.\d s", said)
        assert re.search(r"demo page +http://127\.0\.0\.1:\d+/\n", said)
        assert re.search(r"Webim calls +http://127\.0\.0\.1:\d+/chatapi/webim/…, see .* channels --help\n", said)
        assert re.search(r"NATS server +nats://127\.0\.0\.1:\d+\n", said)
        assert re.search(r"watch it +\S.* tap", said)
        assert len(running.children()) == CHILDREN
        assert await running.stop(signal.SIGINT) < STOP_S_MAX
        assert running.process.returncode == 0
        assert running.left_behind() == set()
        assert not (tmp_path / "data" / "dev.json").exists()


async def test_a_worker_that_dies_is_started_again_and_that_is_said(tmp_path: Path, eventually: Eventually) -> None:
    async with dev(tmp_path / "data", *ports()) as running:
        await running.ready()
        for name in ("linker", "webchat"):
            before = running.children()[f"workers.{name}"]
            os.kill(before, signal.SIGKILL)
            await running.says(rf"{name} ended \(by SIGKILL\), starting it again")
            await eventually(lambda: running.children().get(f"workers.{name}", before) != before, within_s=10)  # noqa: B023
        assert await running.stop(signal.SIGTERM) < STOP_S_MAX
        assert running.left_behind() == set()


async def test_a_server_that_dies_is_started_again_on_its_port(tmp_path: Path) -> None:
    async with dev(tmp_path / "data", *ports()) as running:
        await running.ready()
        os.kill(running.children()["server"], signal.SIGKILL)
        said = await running.says(r"nats-server is back")
        assert "nats-server ended, starting it again" in said
        assert await running.stop(signal.SIGINT) < STOP_S_MAX
        assert running.left_behind() == set()


async def test_a_kill_of_dev_itself_takes_everything_along(tmp_path: Path, eventually: Eventually) -> None:
    async with dev(tmp_path / "data", *ports()) as running:
        await running.ready()
        assert len(running.children()) == CHILDREN
        await running.stop(signal.SIGKILL)
        await eventually(lambda: running.left_behind() == set(), within_s=10)


async def heimdall(*arguments: str) -> str:
    """A command that ends well; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *("-m", "broker.cli", *arguments), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_the_next_start_finds_its_data(tmp_path: Path) -> None:
    for arguments in (("create", "kept"), ("list",)):
        async with dev(tmp_path / "data", *ports()) as running:
            await running.ready()
            url = json.loads((tmp_path / "data" / "dev.json").read_text())["nats_url"]
            out = await heimdall("chats", *arguments, "--nats-url", url)
            assert "draftkept" in out
            assert await running.stop(signal.SIGINT) < STOP_S_MAX


async def test_a_second_one_on_the_same_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    async with dev(tmp_path / "data", *ports()) as running:
        await running.ready()
        async with dev(tmp_path / "data") as second:
            assert await second.process.wait() == 1
            await second._reading
            assert re.fullmatch(r"heimdall: another 'heimdall dev' runs on \S+data: end it, or .*\n", second.said)


async def test_a_port_that_was_asked_for_and_is_taken_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--port", "--nats-port", "--webim-port"):
            async with dev(tmp_path / "data", option, str(port)) as running:
                assert await running.process.wait() == 1
                await running._reading
                assert f"heimdall: port {port} is taken: choose another with {option}" in running.said
                assert "Traceback" not in running.said


async def test_usual_ports_that_are_taken_are_replaced_and_that_is_said(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        for port in (8080, 8081, 4222):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # somebody has it already, which is as good
                taken.bind(("127.0.0.1", port))
                taken.listen()
        async with dev(tmp_path / "data") as running:
            said = await running.ready()
            assert re.search(r"port 8080 is taken, the demo page gets (\d+)", said)
            assert re.search(r"port 8081 is taken, Webim's endpoint gets (\d+)", said)
            assert re.search(r"port 4222 is taken, the NATS server gets (\d+)", said)
            assert await running.stop(signal.SIGINT) < STOP_S_MAX


@pytest.mark.parametrize("hours", ["0", "-1", "nan"])
async def test_links_of_no_time_are_a_usage_error(tmp_path: Path, hours: str) -> None:
    async with dev(tmp_path / "data", f"--link-hours={hours}") as running:
        assert await running.process.wait() == 2
        await running._reading
        assert "--link-hours must be above 0" in running.said


async def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    async with dev(tmp_path / "data") as running:
        assert await running.process.wait() == 1
        await running._reading
        assert "cannot be used" in running.said
        assert running.said.count("\n") == 1
