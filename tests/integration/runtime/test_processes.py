"""Processes: the server dies with its parent, keeps its port, names its failure; signals end a worker in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from broker.errors import ServerFailedError
from broker.runtime.embedded import EmbeddedServer, free_port, nats_server
from tests.conftest import Eventually
from tests.processes import logged_worker_process

PARENT = """
import asyncio, sys
from pathlib import Path
from broker.runtime.embedded import nats_server

async def main():
    async with nats_server(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""

STOPPED = """
import asyncio
from broker.runtime.signals import stop_on_signals

async def main():
    async with stop_on_signals() as stop:
        print("ready", flush=True)
        await stop.wait()
        print("stopped", flush=True)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


async def started(*arguments: str) -> asyncio.subprocess.Process:
    root = str(Path(__file__).parents[3])
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path, eventually: Eventually) -> None:
    parent = await started("-c", PARENT, str(tmp_path))
    pid = int(await line_of(parent))
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await eventually(lambda: not alive(pid))


async def test_a_server_comes_back_on_its_port(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as own:
        port = own.port
        await own.kill()
        assert not own.running
        await own.start()
        assert (own.running, own.port) == (True, port)
    assert not own.running


async def test_a_port_in_use_is_named_in_the_failure(server: EmbeddedServer, tmp_path: Path) -> None:
    with pytest.raises(ServerFailedError, match="address already in use"):
        async with nats_server(tmp_path, port=server.port):
            pass


async def test_a_bad_configuration_is_told_with_the_servers_own_words(tmp_path: Path) -> None:
    with pytest.raises(ServerFailedError, match="nats-server cannot run"):
        async with nats_server(tmp_path, extra_configuration="max_payload: lots\n"):
            pass


def test_a_free_port_is_the_preferred_one_unless_somebody_has_it(server: EmbeddedServer) -> None:
    free = free_port()
    assert free_port(free) == free
    assert free_port(server.port) != server.port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_ends_a_worker_in_good_order(number: signal.Signals) -> None:
    process = await started("-c", STOPPED)
    assert await line_of(process) == "ready"
    process.send_signal(number)
    lines = [await line_of(process), await line_of(process)]
    assert "stopped" in lines
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_worker_whose_log_nobody_reads_any_more_ends_in_good_order(server: EmbeddedServer) -> None:
    reading, writing = os.pipe()
    with (
        os.fdopen(writing, "wb") as log,
        logged_worker_process("expiry", server.url, log, HEIMDALL_LOG_LEVEL="info"),
    ):  # it fails where the worker does not end by itself
        os.close(reading)
