"""Workers as real processes, for tests that need them running, killed or stopped."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tests.conftest import TIME_FACTOR

START_WAIT_S = 20.0
STOP_WAIT_S = 10.0


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def worker_process(name: str, nats_url: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """One worker, ready when the block begins; it must stop in an orderly way unless the block ended it."""
    with _process(("-m", f"workers.{name}"), nats_url, settings) as worker:
        yield worker


@contextlib.contextmanager
def logged_worker_process(
    name: str, nats_url: str, output: BinaryIO, /, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """As worker_process(); all that it says goes to ``output``."""
    with _process(("-m", f"workers.{name}"), nats_url, settings, output) as worker:
        yield worker


@contextlib.contextmanager
def service_process(program: Path, nats_url: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """As worker_process(), for a program on the kit that is no part of the package."""
    root = str(Path(__file__).parents[1])
    with _process((str(program),), nats_url, {"PYTHONPATH": root, **settings}) as service:
        yield service


@contextlib.contextmanager
def _process(
    arguments: Sequence[str], nats_url: str, settings: Mapping[str, str], output: BinaryIO | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    port = free_port()
    environment = {
        **os.environ,
        "HEIMDALL_NATS_URL": nats_url,
        "HEIMDALL_LOG_LEVEL": "warning",
        "HEIMDALL_HEALTH_PORT": str(port),
        **settings,
    }
    worker = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=output, stderr=output)
    try:
        wait_ready(f"http://127.0.0.1:{port}/readyz", worker)
        yield worker
        if worker.poll() is None:
            worker.terminate()
            assert worker.wait(timeout=STOP_WAIT_S * TIME_FACTOR) == 0
    finally:
        worker.kill()
        worker.wait()


def wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when the address answers 200; fail when the process ends or takes too long."""
    deadline_s = time.monotonic() + START_WAIT_S * TIME_FACTOR
    while time.monotonic() < deadline_s:
        assert process.poll() is None, f"the process ended with {process.returncode} before it was ready"
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=1) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing was ready at {url} within {START_WAIT_S * TIME_FACTOR:.0f} s")
