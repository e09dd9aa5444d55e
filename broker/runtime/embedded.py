"""The real nats-server as a child process, for `heimdall dev` and the tests; production runs its own."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

from broker.errors import ServerFailedError

LOOPBACK = "127.0.0.1"
PAYLOAD_BYTES_MAX = 1 << 20
SYNC_EVERY = "10s"
"""Its own two minutes end in one long write, during which nothing is stored for a second or two."""
START_WAIT_S = 30.0
"""A server with a million stored messages needs seconds to read them at start."""
STOP_WAIT_S = 5.0
POLL_S = 0.02
PR_SET_PDEATHSIG = 1


class EmbeddedServer:
    """One nats-server process that keeps its port and its data over any number of starts."""

    def __init__(self, data_dir: Path, port: int, configuration: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.url = f"nats://{LOOPBACK}:{port}"
        # Whoever else sits on the port answers as well: only this name says that it is ours.
        self.name = f"heimdall-{uuid4()}"
        self._configuration = f'server_name: "{self.name}"\n{configuration}'
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while stopped."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there; it may still be reading its data."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Return when the server takes connections.

        Raises:
            ServerFailedError: it ended, or was not ready in time; the message has the last line of its log.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        path = self.data_dir / "nats-server.conf"
        path.write_text(self._configuration, encoding="utf-8")
        self._process = process = _spawn(path)
        deadline = asyncio.get_running_loop().time() + START_WAIT_S
        while not await _answers(self.port, self.name):
            if process.poll() is not None:
                raise ServerFailedError(self._last_log_line() or f"it ended with {process.returncode}")
            if asyncio.get_running_loop().time() > deadline:
                await self.kill()
                raise ServerFailedError(f"not ready within {START_WAIT_S:.0f} s")
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """End it in good order; a server that ignores SIGTERM for 5 s is killed."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power cut would, for tests; start() goes on with the same data."""
        await self._end(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    async def _end(self, first: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(first)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_WAIT_S):
                    await _ended(process)
            if process.poll() is None:
                process.kill()
        process.wait()

    def _last_log_line(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.data_dir / "nats-server.log").read_text(encoding="utf-8").splitlines()
            fatal = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
            return (fatal or lines or [""])[-1]
        return ""


@contextlib.asynccontextmanager
async def nats_server(
    data_dir: Path, *, port: int = 0, jetstream: bool = True, extra_configuration: str = ""
) -> AsyncIterator[EmbeddedServer]:
    """A running nats-server on loopback with its data under ``data_dir``; ``port`` 0 takes a free one.

    It syncs to disk at the server's own default interval, and dies with this process, however that ends (Linux).
    """
    chosen = port or free_port()
    written = configuration(data_dir, chosen, jetstream=jetstream) + extra_configuration
    server = EmbeddedServer(data_dir, chosen, written)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def free_port(preferred: int = 0) -> int:
    """``preferred`` if nobody on loopback has it, else a free port of the system's choice."""
    for candidate in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As every server does: a port in TIME_WAIT after a restart counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, candidate))
            return int(probe.getsockname()[1])
    raise ServerFailedError("no free port on loopback")


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody on loopback has now."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def _spawn(configuration_path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program, our own file
        [_binary(), "-c", str(configuration_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C in a terminal goes to the whole group: the workers must still drain into a living server.
        process_group=0 if os.name == "posix" else None,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, and no thread of ours forks
    )


async def _ended(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:  # noqa: ASYNC110 - an exit sets no event that works on every platform and loop
        await asyncio.sleep(POLL_S)


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """What a child runs between fork and exec, so that a killed parent leaves no process behind (Linux)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: after it nothing may be loaded

    def ask_for_signal() -> None:
        prctl(PR_SET_PDEATHSIG, number)

    return ask_for_signal


def configuration(data_dir: Path, port: int, *, jetstream: bool) -> str:
    """What every server of ours is told, as its configuration file says it."""
    lines = [
        f'listen: "{LOOPBACK}:{port}"',
        f"max_payload: {PAYLOAD_BYTES_MAX}",
        f"log_file: {json.dumps(str(data_dir / 'nats-server.log'))}",
        "log_size_limit: 10MB",
    ]
    if jetstream:
        lines.append(f"jetstream {{ store_dir: {json.dumps(str(data_dir))}, sync_interval: {SYNC_EVERY} }}")
    return "\n".join(lines) + "\n"


def _binary() -> str:
    """The nats-server of this environment's wheel, else the one on the path."""
    name = "nats-server.exe" if os.name == "nt" else "nats-server"
    beside = Path(sysconfig.get_path("scripts")) / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerFailedError("no nats-server found: install the extra 'dev-server', or put one on the PATH")
    return found


async def _answers(port: int, name: str) -> bool:
    """Whether the server of that name greets there; a greeting comes only after its stores are read."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(1.0):
            return f'"server_name":"{name}"'.encode() in await reader.readline()
    except (TimeoutError, OSError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
