"""The stand-in as a process: it starts by itself, says where it is, and ends when told or when left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import TIME_FACTOR
from tests.integration.standins.conftest import Bot
from tests.processes import free_port
from tests.standins.webim_control import Webim

ROOT = Path(__file__).parents[3]
END_WAIT_S = 5.0


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """The command as the README has it, with the test's own options."""
    arguments = [sys.executable, "-m", "tests.standins.webim", *getattr(request, "param", ())]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        yield started
        started.kill()


def port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["port"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_port_and_ends_on_a_signal(process: subprocess.Popen[bytes], number: int) -> None:
    assert httpx2.get(f"http://127.0.0.1:{port_of(process)}/_sim/chats", trust_env=False).json() == {"chats": []}
    process.send_signal(number)
    assert process.wait(END_WAIT_S * TIME_FACTOR) == 0


@pytest.mark.parametrize("process", [("--with-stdin",)], indirect=True)
def test_it_ends_with_whoever_started_it(process: subprocess.Popen[bytes]) -> None:
    port_of(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(END_WAIT_S * TIME_FACTOR) == 0


PORT = free_port()


@pytest.mark.parametrize("process", [("--port", str(PORT))], indirect=True)
def test_it_takes_the_port_that_was_asked_for(process: subprocess.Popen[bytes]) -> None:
    assert port_of(process) == PORT


async def test_a_reset_leaves_nothing(webim: Webim, bot: Bot) -> None:
    opened = await webim.open_chat(messages=["Hello"])
    await bot.say("wrong type", "Hi")
    await bot.say(str(opened.chat_id), "Hi")
    await webim.fault(status=503)
    await webim.mode("burst:3")
    await webim.visitor(opened.chat_id, "held")
    await webim.reset()
    assert await webim.chats() == []
    assert await webim.calls() == []
    assert await webim.deliveries() == []
    assert await webim.violations() == []
    assert (await webim.configure())["endpoint_url"] == ""
    await webim.configure(endpoint_url=bot.url)
    assert (await webim.open_chat()).delivery.status == 200
