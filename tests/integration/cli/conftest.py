"""`heimdall`, run as a person runs it: in this process where it ends by itself, as a child where it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from broker.cli.main import main
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath, Conversation
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import TIME_FACTOR

ANSWER_WAIT_S = 10.0
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
OTHER_SESSION = SessionId("6c1d8f1f-3b52-4b66-9a8e-7d3a1f9bae22")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def refusal(self) -> str:
        """Its one line of complaint."""
        assert self.code in {1, 2}, self
        assert self.out == "", self
        assert self.err.startswith("heimdall: "), self
        assert self.err.count("\n") == 1, self
        return self.err


Cli = Callable[..., Awaitable[Ended]]


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    """Commands configure structlog for themselves; the other tests must not notice."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def cli(server: EmbeddedServer, capsys: pytest.CaptureFixture[str], untouched_logging: None) -> Cli:
    """``await cli("links", "--org", org)``: the command against the test server, to its end."""

    async def run(*arguments: str, url: str | None = None) -> Ended:
        capsys.readouterr()
        where = ("--nats-url", url or server.url) if arguments[0] not in {"subjects", "worker", "dev", "bench"} else ()
        code = await asyncio.to_thread(main, [*arguments, *where])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


class Running:
    """A command that goes on until it is stopped; its JSON lines come one by one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def record(self) -> dict[str, Any]:
        """The next JSON line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(ANSWER_WAIT_S * TIME_FACTOR):
            found: dict[str, Any] = json.loads(await self.process.stdout.readline())
            return found

    async def complaint(self) -> str:
        """The next line on stderr."""
        assert self.process.stderr is not None
        async with asyncio.timeout(ANSWER_WAIT_S * TIME_FACTOR):
            return (await self.process.stderr.readline()).decode()


@contextlib.asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[Running]:
    """The command as a child process, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield Running(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def conversation(org: str, session: SessionId = SESSION, chat: str = "draftshop") -> Conversation:
    """The webchat conversation that the tests publish into."""
    return Conversation(ChatPath(ChannelName("webchat"), OrgId(org), ChatName(chat)), session)


def visitor_body(text: str, session: SessionId = SESSION) -> str:
    """A visitor's message as JSON."""
    content = {"sessionuuid": session, "webchat_message": {"type": "text", "value": text}}
    return json.dumps({"heimdall": {"webchat": content}})


def notification_body(text: str, session: SessionId = SESSION, **stubsession: object) -> str:
    """A stub's message as JSON; keywords make a stubsession."""
    content: dict[str, Any] = {"sessionuuid": session, "webchat_message": {"type": "text", "value": text}}
    if stubsession:
        content["stubsession"] = stubsession
    return json.dumps({"platforms": {"webchat": content}})
