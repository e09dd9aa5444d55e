"""The guide's program as a process: ready means that its chat and its registrations are there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from broker.codec import decode, encode
from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Verb
from broker.kit.main import DEMO_ORG
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from tests.conftest import poll
from tests.processes import free_port, wait_ready, worker_process


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


async def _count(connection: Connection, verb: Verb) -> int:
    subject = str(CommandSubject(OrgId(DEMO_ORG), verb))
    return len(decode((await connection.request(subject, encode({}))).data)[verb])


@contextlib.contextmanager
def _demo(nats_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The demo program, not waited for; ends in good order."""
    settings = {"HEIMDALL_NATS_URL": nats_url, "HEIMDALL_HEALTH_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "workers.demo"], env={**os.environ, **settings})
    try:
        yield process
        process.terminate()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()


async def test_the_demo_is_ready_only_when_its_chat_and_its_registrations_are_there(tmp_path: Path) -> None:
    port = free_port()
    async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:

        async def runs_are_taken() -> bool:
            found = await connection.ask("CONSUMER.NAMES.DELIVERIES") if _status(port, "/healthz") == 200 else {}
            return len(found.get("consumers") or []) == 4

        with _demo(server.url, port) as demo:
            await poll(runs_are_taken, within_s=10)
            assert _status(port, "/readyz") == 503, "nobody has answered its commands yet"
            with worker_process("linker", server.url):
                await asyncio.to_thread(wait_ready, f"http://127.0.0.1:{port}/readyz", demo)
                assert await _count(connection, "profiles") == 1
                assert await _count(connection, "registrations") == 2
