"""Runs one command to its end: bounded in time and in what it may say, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from broker.runtime.embedded import die_with_parent

OUTPUT_BYTES_MAX = 64 * 1024
PIECE_BYTES = 64 * 1024
LAST_WORDS_S = 1.0
"""How long what a command has left in its pipe is waited for, once it has ended."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command's end; ``status`` None: its time was up. ``said`` is what it wrote to standard error."""

    status: int | None
    output: str
    said: str

    @property
    def good(self) -> bool:
        """Whether it ended by itself and says that all is well."""
        return self.status == 0

    @property
    def told(self) -> str:
        """Both outputs, for people."""
        late = "\n(its time was up)" if self.status is None else ""
        return (self.said + self.output).strip() + late


async def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit_s: float,
    given: bytes = b"",
    output_bytes_max: int = OUTPUT_BYTES_MAX,
) -> Finished:
    """Run a command in a folder; whatever it started is killed at its end, at the limit, or when this is cancelled.

    Of more output than the bound the end is kept.
    """
    process = await _started(arguments, folder, environment, given)
    out, err = _Tail(output_bytes_max), _Tail(output_bytes_max)
    reading = [asyncio.create_task(out.read(process.stdout)), asyncio.create_task(err.read(process.stderr))]
    status: int | None = None
    try:
        async with asyncio.timeout(limit_s):
            status = await process.wait()
    except TimeoutError:
        pass
    finally:
        await _killed(process)
        await asyncio.wait(reading, timeout=LAST_WORDS_S)
        for task in reading:
            task.cancel()
    return Finished(status, out.text, err.text)


async def _started(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], given: bytes
) -> asyncio.subprocess.Process:
    """The process; when this is cancelled meanwhile, it is there all the same, and is killed."""
    with _file_of(given) as stdin:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *arguments,
                cwd=folder,
                env=dict(environment),
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _killed(await starting)
            raise


async def _killed(process: asyncio.subprocess.Process) -> None:
    """With all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _file_of(given: bytes) -> IO[bytes]:
    """A file, not a pipe: a command that reads none of it, or ends at once, is no matter."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked closes it
    file.write(given)
    file.seek(0)
    return file


class _Tail:
    """The end of what a pipe brings."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._kept = bytearray()

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace")

    async def read(self, pipe: asyncio.StreamReader | None) -> None:
        assert pipe is not None  # noqa: S101 - asked for in run()
        while piece := await pipe.read(PIECE_BYTES):
            self._kept += piece
            del self._kept[: -self._bytes_max]
