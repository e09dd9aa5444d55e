"""Everything that a chaos run needs as real processes: server, workers, program, and the simulated Webim."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from broker.cli.bench.chaos.processes import WorkerProcess, running_workers
from broker.cli.options import DEMO_ORG
from broker.codec import encode
from broker.domain.channel_forms import ChannelShown
from broker.domain.ids import ChannelName, OrgId
from broker.domain.subjects import ChannelCommandSubject, ChannelVerb
from broker.domain.wire import Body, validate
from broker.errors import BackboneError
from broker.runtime.embedded import EmbeddedServer, free_ports, nats_server
from broker.transport.commands import request_command
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from tests.standins.webim_control import Webim, webim_at, webim_process

ROOT = Path(__file__).parents[3]
SERVICE = "echo"
PROGRAM = "tests.bench.webim_fire.program"
WEBIM_WORKERS = 2
DEPLOY_WAIT_S = 60.0
LOOK_S = 0.1
BOT_TOKEN = "bot-token-of-the-chaos-run"
ADMIN = ("admin@example.com", "password-of-the-chaos-run")


@dataclass(frozen=True, slots=True)
class Stage:
    """The processes by what they are, and how to reach Webim; ``channel`` is the one that all chats come by."""

    server: EmbeddedServer
    workers: dict[str, WorkerProcess]
    webim: Webim
    channel: ChannelShown

    async def restart(self, name: str) -> None:
        """kill -9, and start again at once, as an orchestrator would; the server included."""
        if name == "server":
            await self.server.kill()
            await self.server.start()
            return
        await self.workers[name].kill()
        await self.workers[name].start()


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Start everything, with a channel that is deployed; end everything with the block."""
    ports = free_ports(WEBIM_WORKERS)
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(webim_process())
        webim = await stack.enter_async_context(webim_at(url))
        server = await stack.enter_async_context(nats_server(folder / "nats"))
        connection = await stack.enter_async_context(connect(server.url, name="chaos"))
        await ensure(connection)
        workers = _workers(folder, server.url, url, ports)
        await stack.enter_async_context(running_workers(workers))
        channel = await _channel(connection)
        token = channel.endpoint_url.rpartition("/")[2]
        await webim.configure(
            endpoint_url=[f"http://127.0.0.1:{port}/chatapi/webim/{token}" for port in ports],
            spread=True,
            bot_token=BOT_TOKEN,
            admin_email=ADMIN[0],
            admin_password=ADMIN[1],
            closed_mark="state",
            handlers={"chat_closed": f"http://127.0.0.1:{ports[0]}/chatapi/webim/{token}/handlers/chat_closed"},
        )
        yield Stage(server, workers, webim, channel)


def _workers(folder: Path, nats_url: str, webim_url: str, ports: list[int]) -> dict[str, WorkerProcess]:
    shared = {"HEIMDALL_NATS_URL": nats_url, "PYTHONPATH": str(ROOT)}
    program = {**shared, "HEIMDALL_ECHO_ORG": DEMO_ORG}
    found = {
        "linker": WorkerProcess("linker", folder / "linker.log", shared),
        "expiry": WorkerProcess("expiry", folder / "expiry.log", shared),
        "programs": WorkerProcess(
            "programs", folder / "programs.log", {**shared, "HEIMDALL_PROGRAMS_SERVICE": SERVICE}
        ),
        "program": WorkerProcess("program", folder / "program.log", program, module=PROGRAM),
    }
    for number, port in enumerate(ports):
        settings = {
            **shared,
            "HEIMDALL_WEBIM_PORT": str(port),
            "HEIMDALL_WEBIM_BASE_URL_TEMPLATE": webim_url,
            "HEIMDALL_WEBIM_PRIVATE_ADDRESSES": "true",
        }
        found[f"webim{number}"] = WorkerProcess("webim", folder / f"webim{number}.log", settings)
    return found


async def _channel(connection: Connection) -> ChannelShown:
    form: Body = {"domain": "chaos", "bot_api_token": BOT_TOKEN, "email": ADMIN[0], "password": ADMIN[1]}
    form["log_poll_interval_s"] = 10
    created = await _ask(connection, "create", form)
    async with asyncio.timeout(DEPLOY_WAIT_S):
        while (found := await _ask(connection, "show", {"id": created.id})).status != "ready":
            if found.status == "failed":
                raise BackboneError(f"the deployment of {SERVICE} failed")
            await asyncio.sleep(LOOK_S)
    return found


async def _ask(connection: Connection, verb: ChannelVerb, body: Body) -> ChannelShown:
    subject = ChannelCommandSubject(OrgId(DEMO_ORG), ChannelName("webim"), verb)
    return validate(ChannelShown, await request_command(connection, subject, encode(body)), what="channel")
