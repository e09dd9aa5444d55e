"""A project in a real git repository, and what a channel asks of the worker and sees of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.deployments import Deployment, Follow, deployment_key, follow_key
from broker.domain.ids import ActionName, OrgId, ServiceName, Stub, Stubref
from broker.domain.subjects import DeliverySubject
from broker.domain.wire import Body, dump, validate
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import PROGRAMS
from tests.conftest import TIME_FACTOR, poll
from tests.processes import worker_process

BUILD_WAIT_S = 30.0
PROGRAM = '''\
"""Says which text it was written with."""

from broker import Run, Service, serve

TEXT = "{text}"
service = Service("shop")


@service.at_start("create")
async def begin(run: Run) -> None:
    """Have a stub that can be asked."""


@service.action("ask", context="create")
async def ask(run: Run) -> str:
    """Tell."""
    return TEXT


if __name__ == "__main__":
    serve(service)
'''
TEST = """\
import unittest

import program


class TestProgram(unittest.TestCase):
    def test_it_is_in_order(self) -> None:
        self.assertNotIn("broken", program.TEXT)
"""


class Project:
    """A repository that a developer works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=master")
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@example.com")

    def git(self, *arguments: str) -> str:
        """What git prints."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout.strip()

    def commit(self, text: str, *, program: str = PROGRAM, **files: str) -> str:
        """A version whose program says ``text``; its hash. ``files`` by name, the suffix .py left away."""
        (self.folder / "tests").mkdir(exist_ok=True)
        source = program.replace("{text}", text)
        for name, content in {"program": source, "tests/test_program": TEST, **files}.items():
            (self.folder / f"{name}.py").write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", text)
        return self.git("rev-parse", "HEAD")


class Programs:
    """The worker's other side: one org's channels."""

    def __init__(self, server: EmbeddedServer, connection: Connection, publisher: Publisher, org: str) -> None:
        self.server = server
        self.connection = connection
        self.publisher = publisher
        self.org = org
        self.records = Records(connection, publisher, PROGRAMS)
        self._asked = 0

    def move_to(self, server: EmbeddedServer, connection: Connection, publisher: Publisher) -> None:
        """Go on at another server, which may be killed."""
        self.server, self.connection, self.publisher = server, connection, publisher
        self.records = Records(connection, publisher, PROGRAMS)

    async def ask(self, ref: str, *, channel: str = "ch1", begun: int = 0) -> str:
        """Ask for a deployment, as a channel does; its id."""
        self._asked += 1
        one = Deployment(
            id=f"dp{self._asked}{uuid4().hex[:6]}",
            org=self.org,
            channel_id=channel,
            ref=ref,
            asked_at_ms=self._asked,
            begun=begun,
        )
        await self.records.write(deployment_key(self.org, channel, one.id), encode(dump(one)), revision=0)
        return one.id

    async def follow(self, ref: str, *, channel: str = "ch1") -> None:
        """Have the channel follow a reference."""
        value = encode(dump(Follow(org=self.org, channel_id=channel, ref=ref)))
        await self.records.write(follow_key(self.org, channel), value, revision=None)

    async def read(self, deployment_id: str, *, channel: str = "ch1") -> Deployment:
        """A deployment as it is now."""
        found = await self.records.read(deployment_key(self.org, channel, deployment_id))
        assert found.value is not None
        return validate(Deployment, decode(found.value), what="deployment")

    async def ended(self, deployment_id: str, *, channel: str = "ch1") -> Deployment:
        """The deployment once it has succeeded or failed."""

        async def over() -> bool:
            return not (await self.read(deployment_id, channel=channel)).is_open

        await poll(over, within_s=BUILD_WAIT_S)
        return await self.read(deployment_id, channel=channel)

    async def deploy(self, ref: str, *, channel: str = "ch1") -> Deployment:
        """Ask, and wait for the end."""
        return await self.ended(await self.ask(ref, channel=channel), channel=channel)

    async def of_channel(self, channel: str = "ch1") -> list[Deployment]:
        """All of a channel's, in the order of their asking."""
        entries = await self.records.entries(f"{self.org}.deployment.{channel}")
        found = [validate(Deployment, decode(entry.value), what="deployment") for entry in entries]
        return sorted(found, key=lambda one: one.asked_at_ms)

    async def text_of(self, service: str | None, within_s: float = 10.0) -> object:
        """What a version's program says, asked through its stub."""
        assert service is not None
        inbox = self.connection.new_inbox()
        answers: asyncio.Queue[Body] = asyncio.Queue()

        async def keep(message: Msg) -> None:
            await answers.put(decode(message.data))

        subscription = await self.connection.subscribe(inbox, keep)
        stub = Stub(ServiceName(service), Stubref("create-draft"))
        run = {"stubpost": {"message": "", "data": {}}}
        headers = {names.MESSAGE_ID: str(uuid4()), names.REPLY: inbox}
        await self.publisher.store(str(DeliverySubject(OrgId(self.org), stub, ActionName("ask"))), encode(run), headers)
        try:
            async with asyncio.timeout(within_s * TIME_FACTOR):
                return (await answers.get())["result"]
        finally:
            await subscription.unsubscribe()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The developer's repository, still empty."""
    return Project(tmp_path / "project")


@pytest.fixture
def programs(server: EmbeddedServer, connection: Connection, publisher: Publisher, org: str) -> Programs:
    """The channels of the test's own org."""
    return Programs(server, connection, publisher, org)


Worker = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


@pytest.fixture
def worker(programs: Programs, project: Project, tmp_path: Path) -> Worker:
    """``with worker(): ...``: the worker for the project, impatient; settings as its variables end."""

    def start(**settings: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        own = {
            "REPOSITORY": str(project.folder),
            "ORG": programs.org,
            "FOLDER": str(tmp_path / "programs"),
            "POLL_S": "0.2",
            "LINKS_POLL_S": "0.5",
            **settings,
        }
        variables = {f"HEIMDALL_PROGRAMS_{name}": value for name, value in own.items()}
        return worker_process("programs", programs.server.url, **variables)

    return start
