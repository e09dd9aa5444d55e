"""A log file that never grows past a bound: it turns over into one older file."""

from __future__ import annotations

from pathlib import Path

FILE_BYTES_MAX = 5_000_000


class BoundedLog:
    """Appends lines; at most two files of ``bytes_max`` each are kept, the older with ``.1`` behind its name."""

    def __init__(self, path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max

    def write(self, line: bytes) -> None:
        """Append one line at once: it is there for whoever looks after a crash."""
        try:
            full = self.path.stat().st_size + len(line) > self._bytes_max
        except FileNotFoundError:
            full = False
        if full:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        with self.path.open("ab") as file:
            file.write(line)
