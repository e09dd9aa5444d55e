"""Workers as child processes that are killed and started again at once, as an orchestrator would."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from broker.errors import ServerFailedError
from broker.runtime.embedded import LOOPBACK, die_with_parent, free_port
from broker.runtime.settings import child_environment

READY_WAIT_S = 120.0
READY_POLL_S = 0.05
LOOK_S = 0.1
STOP_WAIT_S = 5.0


class WorkerProcess:
    """One worker; its log goes to a file of its own over all of its starts. ``module`` None: ``workers.<name>``."""

    def __init__(self, name: str, log_path: Path, settings: Mapping[str, str], *, module: str | None = None) -> None:
        self.name = name
        self._module = module or f"workers.{name}"
        self.kills = 0
        self._log_path = log_path
        self._settings = settings
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.returncode is not None

    async def start(self) -> None:
        """Begin; wait_ready() tells when it works."""
        self._port = free_port()
        environment = child_environment(
            {"HEIMDALL_LOG_LEVEL": "warning", **self._settings, "HEIMDALL_HEALTH_PORT": str(self._port)}
        )
        with self._log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self._module),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    async def wait_ready(self) -> None:
        """Return when its readiness probe says yes.

        Raises:
            ServerFailedError: it ended by itself, or took longer than two minutes.
        """
        deadline_s = time.monotonic() + READY_WAIT_S
        while not await _says_ready(self._port):
            ended = self._process is None or self._process.returncode is not None
            if ended or time.monotonic() > deadline_s:
                raise ServerFailedError(f"worker {self.name} is not ready; {self._log_path} tells more")
            await asyncio.sleep(READY_POLL_S)

    async def kill(self) -> None:
        """End it with kill -9, and wait until it is gone."""
        self.kills += 1
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM; kill -9 where that takes too long."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), STOP_WAIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _says_ready(port: int) -> bool:
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


@contextlib.asynccontextmanager
async def running_workers(workers: dict[str, WorkerProcess]) -> AsyncIterator[None]:
    """Have them ready when the block begins, and start again what ends before the block does."""
    keeper = asyncio.create_task(_keep(workers))
    try:
        for worker in workers.values():
            await worker.start()
        for worker in workers.values():
            await worker.wait_ready()
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(*(worker.stop() for worker in workers.values()))


async def _keep(workers: dict[str, WorkerProcess]) -> None:
    """Start again what ended by itself, such as a worker whose server was killed while it began."""
    while True:
        await asyncio.sleep(LOOK_S)
        for worker in workers.values():
            if worker.ended:
                await worker.start()
