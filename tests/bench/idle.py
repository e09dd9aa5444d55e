"""What all of `heimdall dev` costs while nothing happens: memory, and share of one core.

    python tests/bench/idle.py [--seconds 60]

Memory is the sum of what each process holds resident, so pages that they share count more than once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

READY_WAIT_S = 60.0
SETTLE_S = 5.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start, wait, measure, print one row a process and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch (default 60)")
    seconds = parser.parse_args().seconds
    with running_dev() as root:
        time.sleep(SETTLE_S)
        pids = [root, *children_of(root)]
        before = {pid: cpu_s(pid) for pid in pids}
        time.sleep(seconds)
        rows = [(name_of(pid), resident_mib(pid), (cpu_s(pid) - before[pid]) / seconds * 100) for pid in pids]
    for name, mib, percent in rows:
        print(f"{name:30} {mib:7.1f} MiB {percent:6.2f} % of a core")
    total_mib, total_percent = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(
        f"{'all of heimdall dev, idle':30} {total_mib:7.1f} MiB {total_percent:6.2f} % of a core, over {seconds:.0f} s"
    )


@contextlib.contextmanager
def running_dev() -> Iterator[int]:
    """`heimdall dev` on free ports with data of its own; yields its process id once it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "broker.cli", "dev", "--data-dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(Path(folder) / "dev.json", process)
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=10)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Return when dev has written where it can be reached."""
    deadline_s = time.monotonic() + READY_WAIT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            sys.exit(f"heimdall dev ended with {process.returncode}")
        with contextlib.suppress(OSError, ValueError):
            if json.loads(path.read_text(encoding="utf-8")):
                return
        time.sleep(0.1)
    sys.exit(f"heimdall dev was not ready within {READY_WAIT_S:.0f} s")


def children_of(root: int) -> list[int]:
    """All processes below one, oldest first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(stat(int(entry.name))[1])
    found = [root]
    for pid in found:
        found += sorted(child for child, parent in parents.items() if parent == pid)
    return found[1:]


def stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Processor time so far, in seconds."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mib(pid: int) -> float:
    """Resident memory, in MiB."""
    return int(stat(pid)[21]) * PAGE_BYTES / 2**20


def name_of(pid: int) -> str:
    """The program, short."""
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    words = [argument.decode() for argument in arguments if argument]
    return " ".join(words[words.index("-m") + 1 :][:2]) if "-m" in words else Path(words[0]).name


if __name__ == "__main__":
    main()
