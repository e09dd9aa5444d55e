"""One version's process: started, kept running, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from broker.domain.deployments import Version
from broker.errors import BackboneError, VersionNotReadyError
from broker.runtime.embedded import die_with_parent, free_port
from broker.runtime.metrics import is_ready
from broker.runtime.retry import backoff_s
from workers.programs.checks import PROGRAM, program_environment

READY_POLL_S = 0.05
STEADY_AFTER_S = 10.0
"""A process that ran this long has earned a quick restart."""
LINES_KEPT = 40
LINE_BYTES_MAX = 65_536
LAST_WORDS_S = 1.0

log = structlog.get_logger()


class VersionProcess:
    """Kept running until stop(); what it says goes to this process's own output, line by line."""

    def __init__(self, version: Version, check_out: Callable[[str], Awaitable[Path]]) -> None:
        self.version = version
        self._check_out = check_out
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=LINES_KEPT)
        self._port = 0
        self._stopping = False
        self._keeping = asyncio.create_task(self._keep_running())

    @property
    def pid(self) -> int | None:
        """The process id, None while there is none."""
        return None if self._process is None else self._process.pid

    async def wait_ready(self, limit_s: float) -> None:
        """Return when it takes work.

        Raises:
            VersionNotReadyError: it does not within the limit; what it said last is with it.
        """
        try:
            async with asyncio.timeout(limit_s):
                # Another process says so over HTTP: there is no event to wait for.
                while not await is_ready(self._port):  # noqa: ASYNC110
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            said = "\n".join(self._said)
            raise VersionNotReadyError(self.version.service, limit_s=limit_s, output=said) from None

    def ask_to_stop(self) -> None:
        """SIGTERM, and no further start."""
        self._stopping = True
        self._signal(signal.SIGTERM)

    async def stop(self, limit_s: float) -> None:
        """End it: in order where it does so within the limit, else at once."""
        self.ask_to_stop()
        await asyncio.wait({self._keeping}, timeout=limit_s if self._process is not None else 0)
        self._signal(signal.SIGKILL)
        self._keeping.cancel()  # it may be in the pause before its next start
        await asyncio.wait({self._keeping})

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep_running(self) -> None:
        quick_ends = 0
        while not self._stopping:
            begun_s = asyncio.get_running_loop().time()
            await self._run_once()
            if self._stopping:
                return
            is_steady = asyncio.get_running_loop().time() - begun_s > STEADY_AFTER_S
            quick_ends = 1 if is_steady else quick_ends + 1
            await asyncio.sleep(backoff_s(quick_ends))

    async def _run_once(self) -> None:
        service = self.version.service
        try:
            folder = await self._check_out(self.version.commit)
            process = await self._start(folder)
        except (BackboneError, OSError) as error:
            code = error.code if isinstance(error, BackboneError) else type(error).__name__
            log.error("version_not_started", service=service, error_code=code)
            return
        log.info("version_started", service=service, pid=process.pid)
        reading = asyncio.create_task(self._read(process.stdout))
        try:
            status = await process.wait()
            await asyncio.wait({reading}, timeout=LAST_WORDS_S)
        finally:
            if process.returncode is None:
                process.kill()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what the program has started and left behind
            reading.cancel()
            self._process = None
        (log.info if self._stopping else log.warning)("version_ended", service=service, status=status)

    async def _start(self, folder: Path) -> asyncio.subprocess.Process:
        self._port = free_port()
        own = f"HEIMDALL_{self.version.name.upper()}_"
        settings = {
            f"{own}ORG": self.version.org,
            f"{own}VERSION": self.version.short,
            f"{own}HEALTH_PORT": str(self._port),
            f"{own}HEALTH_HOST": "127.0.0.1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            PROGRAM,
            cwd=folder,
            env=program_environment(folder, settings, service=self.version.name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES_MAX,
            # Ctrl-C in a terminal goes to the whole group; the worker ends its versions itself.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._process = process
        if self._stopping:
            self._signal(signal.SIGTERM)
        return process

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None  # noqa: S101 - asked for above
        while line := await _line(stream):
            self._said.append(line.decode(errors="replace").rstrip())
            sys.stdout.buffer.write(line)
            sys.stdout.flush()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; one that is too long comes in pieces."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await stream.read(LINE_BYTES_MAX)
