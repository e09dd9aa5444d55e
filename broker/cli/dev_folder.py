"""The folder in which `heimdall dev` keeps everything: data, logs, and where to find a running one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from broker.errors import DataFolderTakenError, DataFolderUnusableError

FOLDER_NAME = ".heimdall"
STATE_FILE = "dev.json"
LOCK_FILE = "dev.lock"


class DevFolder:
    """One data folder; made when it is claimed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def server_dir(self) -> Path:
        """Where the embedded nats-server keeps its streams."""
        return self.path / "nats"

    @property
    def logs_dir(self) -> Path:
        """One log file for each process."""
        return self.path / "logs"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder until the end of the block; the system lets go of it however this process ends.

        Raises:
            DataFolderTakenError: another `heimdall dev` holds it.
            DataFolderUnusableError: it cannot be made or written.
        """
        import fcntl  # not on Windows, where the other commands still work

        with self._opened() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DataFolderTakenError(str(self.path)) from error
            yield

    @contextlib.contextmanager
    def announced(self, nats_url: str, page_url: str) -> Iterator[None]:
        """Let other commands find this process's addresses until the end of the block."""
        state = {"pid": os.getpid(), "nats_url": nats_url, "page_url": page_url}
        path = self.path / STATE_FILE
        path.write_text(json.dumps(state) + "\n", encoding="utf-8")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def _opened(self) -> IO[str]:
        """The lock file, and the folders with it."""
        try:
            self.logs_dir.mkdir(parents=True, exist_ok=True)
            return (self.path / LOCK_FILE).open("a")
        except OSError as error:
            raise DataFolderUnusableError(str(self.path), error.strerror or type(error).__name__) from error


def running_nats_url(start: Path | None = None) -> str | None:
    """The NATS address of a `heimdall dev` that runs in this folder or one above it, None if there is none."""
    here = start or Path.cwd()
    for folder in (here, *here.parents):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads((folder / FOLDER_NAME / STATE_FILE).read_text(encoding="utf-8"))
            os.kill(int(state["pid"]), 0)  # raises for a process that is gone: the file outlives a kill -9
            return str(state["nats_url"])
    return None
