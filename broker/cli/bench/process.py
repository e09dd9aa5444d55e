"""One process of a benchmark: started once, watched, and ended with its block; one that dies fails the benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from broker.cli.terminal import one_line
from broker.errors import ProcessEndedError
from broker.runtime.embedded import die_with_parent
from broker.runtime.settings import child_environment

STOP_WAIT_S = 5.0
POLL_S = 0.02
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Process:
    """A running Python module."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Nothing while it runs.

        Raises:
            ProcessEndedError: it has ended; the message has the last line that it wrote.
        """
        code = self._process.poll()
        if code is not None:
            raise ProcessEndedError(self.name, code, said=self.last_line())

    async def wait(self) -> None:
        """Return when it has ended well.

        Raises:
            ProcessEndedError: it ended with a fault.
        """
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 - an exit sets no event
            await asyncio.sleep(POLL_S)
        if code:
            raise ProcessEndedError(self.name, code, said=self.last_line())

    def cpu_s(self) -> float:
        """Processor time so far, in seconds; 0 where the system does not tell."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else 0.0

    def resident_mib(self) -> float:
        """Memory that it holds, in MiB; 0 where the system does not tell."""
        fields = self._stat()
        return int(fields[21]) * PAGE_BYTES / 2**20 if fields else 0.0

    def last_line(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        return one_line(([line for line in lines if line.strip()] or ["nothing"])[-1])

    async def stop(self) -> None:
        """SIGTERM; what takes longer than 5 s is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_WAIT_S):
                    while self._process.poll() is None:  # noqa: ASYNC110 - an exit sets no event
                        await asyncio.sleep(POLL_S)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _stat(self) -> list[str]:
        """The fields of /proc/<pid>/stat from the state on."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return []


@contextlib.asynccontextmanager
async def running(
    name: str, module: str, folder: Path, *, arguments: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """``python -m <module>``, with its output in ``folder``; it ends with the block, and dies with this process."""
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; it takes a millisecond
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(settings or {}),
            # Ctrl-C in a terminal goes to the whole group; we end our processes ourselves, before the server.
            process_group=0,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call, and no thread of ours forks
        )
    found = Process(name, process, log)
    try:
        yield found
    finally:
        await found.stop()
