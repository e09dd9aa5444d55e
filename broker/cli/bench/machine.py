"""On which machine a figure was measured: without that it means nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GIB = 1 << 30


def facts(nats_server: str) -> dict[str, str]:
    """Hardware and versions, by name; ``nats_server`` is what the server says of itself."""
    return {
        "cores": str(_cores()),
        "memory": _memory(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "load at start": _load(),
        "python": platform.python_version(),
        "uvloop": version_of("uvloop") or "not installed",
        "nats-server": nats_server,
        "nats-py": version_of("nats-py") or "unknown",
    }


def version_of(package: str) -> str | None:
    """The version that is installed, None if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    """Those that we may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _memory() -> str:
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{found / GIB:.1f} GiB"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def _load() -> str:
    """Above some tenths somebody else was busy, and the figures are too low."""
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
