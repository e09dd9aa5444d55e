"""One worker as a child process: started again whenever it ends, its log kept and its warnings shown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.cli.bounded_log import BoundedLog
from broker.cli.terminal import one_line
from broker.runtime.embedded import die_with_parent, free_port
from broker.runtime.metrics import is_ready
from broker.runtime.retry import backoff_s
from broker.runtime.settings import child_environment

READY_POLL_S = 0.05
STEADY_AFTER_S = 10.0
"""A worker that ran this long has earned a quick restart."""
LINE_BYTES_MAX = 65_536
UNECHOED_EVENTS = frozenset(("connection_error_reported", "connection_lost"))
"""Every worker has these when the server ends, and that is said once already."""
ECHOED_LEVELS = frozenset(("warning", "error", "critical"))
UNECHOED_KEYS = frozenset(("timestamp", "exception", "worker"))

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run; ``ready_port`` None: the worker serves its health on a port of our choice."""

    name: str
    settings: Mapping[str, str]
    ready_port: int | None = None


class Child:
    """One worker, kept running until stop()."""

    def __init__(self, plan: Plan, logs_dir: Path, report: Report) -> None:
        self.plan = plan
        self._log = BoundedLog(logs_dir / f"{plan.name}.log")
        self._report = report
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._health_port = 0
        self._last_line = ""

    @property
    def pid(self) -> int | None:
        """The process id, None while there is none."""
        return None if self._process is None else self._process.pid

    async def keep_running(self) -> None:
        """Start it, and again after each end, the more slowly the sooner it ended."""
        quick_ends = 0
        while not self._stopping:
            started_s = asyncio.get_running_loop().time()
            code = await self._run_once()
            if self._stopping:
                return
            steady = asyncio.get_running_loop().time() - started_s > STEADY_AFTER_S
            quick_ends = 1 if steady else quick_ends + 1
            wait_s = backoff_s(quick_ends)
            reason = f": {self._last_line}" if self._last_line and code > 0 else ""
            self._report(f"{self.plan.name} ended ({_how(code)}{reason}), starting it again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def wait_ready(self) -> None:
        """Return when its readiness probe says yes, however many starts that takes."""
        # Another process says so over HTTP: there is no event to wait for.
        while not await is_ready(self.plan.ready_port or self._health_port):  # noqa: ASYNC110
            await asyncio.sleep(READY_POLL_S)

    def ask_to_stop(self) -> None:
        """SIGTERM, and no further start."""
        self._stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and no further start."""
        self._stopping = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _run_once(self) -> int:
        self._health_port = free_port()
        self._last_line = ""
        settings = {**self.plan.settings, "HEIMDALL_HEALTH_PORT": str(self._health_port), "PYTHONUNBUFFERED": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"workers.{self.plan.name}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=child_environment(settings),
            limit=LINE_BYTES_MAX,
            # Ctrl-C in a terminal goes to the whole group; we end the workers ourselves, before the server.
            process_group=0,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._process = process
        if self._stopping:
            self._signal(signal.SIGTERM)
        reading = asyncio.create_task(self._read(process.stdout))
        try:
            code = await process.wait()
            await asyncio.wait({reading}, timeout=1.0)
            return code
        finally:
            reading.cancel()
            self._process = None

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        """Everything into the log file, warnings and errors to the terminal too."""
        assert stream is not None  # noqa: S101 - asked for above
        while line := await _line(stream):
            self._log.write(line)
            text = line.decode(errors="replace").strip()
            if text:
                self._last_line = one_line(text)
            echo = None if self._stopping else _as_warning(text)
            if echo is not None:
                self._last_line = echo
                self._report(f"{self.plan.name}: {echo}")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; one that is too long comes in pieces."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await stream.read(LINE_BYTES_MAX)


def _as_warning(text: str) -> str | None:
    """A log line of ours at level warning or above as one plain line, None for anything else."""
    if not text.startswith("{"):
        return None
    try:
        event = json.loads(text)
    except ValueError:
        return None
    if event.pop("level", None) not in ECHOED_LEVELS:
        return None
    name = str(event.pop("event", ""))
    if name in UNECHOED_EVENTS:
        return None
    facts = [f"{key}={value}" for key, value in event.items() if key not in UNECHOED_KEYS]
    return one_line(" ".join([name.replace("_", " "), *facts]))


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
