"""Everything that a chaos run needs as real processes: server, workers, bot, and the simulated giosg with two rooms."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from broker.cli.bench.chaos.processes import WorkerProcess, running_workers
from broker.cli.options import DEMO_ORG
from broker.codec import encode
from broker.domain.ids import Branch, ChannelName, ChatName, OrgId, effective_chat_name
from broker.domain.profiles import Profile, profile_key
from broker.domain.subjects import ChatPath
from broker.domain.wire import dump
from broker.runtime.embedded import EmbeddedServer, free_ports, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from broker.transport.records import Records
from broker.transport.topology import PROFILES
from tests.bench.giosg_fire.program import CHAT
from tests.standins.giosg.configuration import Subscription
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg, giosg_at, giosg_process

ROOT = Path(__file__).parents[3]
PROGRAM = "tests.bench.giosg_fire.program"
GIOSG_WORKERS = ("giosg0", "giosg1")
SECRET = "webhook-secret-of-the-chaos-run-0123456789"
BRANCH: Branch = "draft"
OTHER_ORG = "5b1c7a52-9c0e-4a6e-8b7d-2f0c3a4d5e66"
OTHER_ROOM_ID = "2c8c3d3e-7c3e-4d80-9f75-8b2b7b8f4c03"
HTTP_TIMEOUT_S = 2.0
RECONCILE_S = 15
"""The least that is allowed."""


@dataclass(frozen=True, slots=True)
class Route:
    """A chat on our side, and the connection that its conversations go to: by the bot, or by the profile."""

    path: ChatPath
    connection: str
    by_bot: bool


def _path(org: str, name: str) -> ChatPath:
    return ChatPath(ChannelName("webchat"), OrgId(org), ChatName(effective_chat_name(BRANCH, name)))


ROOMS: Mapping[str, tuple[str, str]] = {"support": (DEMO_ORG, ROOM_ID), "other": (OTHER_ORG, OTHER_ROOM_ID)}
"""The connections: our org, giosg's room. They have one organization at giosg, so each hears of the other's chats."""
ROUTES = (
    Route(_path(DEMO_ORG, CHAT), "support", by_bot=True),
    Route(_path(DEMO_ORG, "direct"), "support", by_bot=False),
    Route(_path(OTHER_ORG, "direct"), "other", by_bot=False),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """The processes by what they are, and how to reach giosg; ``ports``: of the giosg workers, for webhooks."""

    server: EmbeddedServer
    workers: dict[str, WorkerProcess]
    giosg: Giosg
    ports: tuple[int, ...]

    async def restart(self, name: str, *, away_s: float = 0.0) -> None:
        """kill -9, and start again, as an orchestrator would; the server included."""
        await self.restart_all((name,), away_s=away_s)

    async def restart_all(self, names: Iterable[str], *, away_s: float) -> None:
        """kill -9 all of them, and start them again after a while."""
        names = tuple(names)
        await asyncio.gather(*(self._process(name).kill() for name in names))
        await asyncio.sleep(away_s)
        await asyncio.gather(*(self._process(name).start() for name in names))

    def _process(self, name: str) -> EmbeddedServer | WorkerProcess:
        return self.server if name == "server" else self.workers[name]

    async def subscribe(self, ports: Mapping[str, int], **knobs: object) -> None:
        """giosg's webhooks: ``ports`` has the worker's for ``<connection>/<kind>``; ``knobs``: how they are served."""
        channel = "/api/v5/orgs/{organization_id}/owned_chats"
        found = [
            Subscription(
                channel=channel if kind == "chats" else f"{channel}/*/messages",
                url=f"http://127.0.0.1:{ports[f'{connection}/{kind}']}/giosg/{connection}/{kind}?secret={SECRET}",
            )
            for connection in ROOMS
            for kind in ("chats", "messages")
        ]
        await self.giosg.webhooks(subscriptions=[one.model_dump() for one in found], **knobs)


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Start everything; end everything with the block."""
    ports = tuple(free_ports(len(GIOSG_WORKERS)))
    async with contextlib.AsyncExitStack() as stack:
        urls = stack.enter_context(giosg_process())
        giosg = await stack.enter_async_context(giosg_at(*urls))
        for _, room_id in ROOMS.values():
            await giosg.room("online", room_id=room_id)
        server = await stack.enter_async_context(nats_server(folder / "nats"))
        await _prepare(server)
        workers = _workers(folder, server.url, _connections(folder, giosg.url, ports[0]), ports)
        stage = Stage(server, workers, giosg, ports)
        await stack.enter_async_context(running_workers(workers))
        yield stage


async def _prepare(server: EmbeddedServer) -> None:
    """Streams and buckets, and the profiles that lead to a desk from the start."""
    async with connect(server.url, name="chaos") as connection, open_publisher(connection) as publisher:
        await ensure(connection)
        profiles = Records(connection, publisher, PROFILES)
        for route in (one for one in ROUTES if not one.by_bot):
            profile = Profile(
                org=route.path.org,
                branch=BRANCH,
                name="direct",
                chat_name=route.path.chat,
                profile_uuid=str(uuid4()),
                stub=f"giosg.{route.connection}",
            )
            key = profile_key(route.path.org, route.path.chat)
            await profiles.write(key, encode(dump(profile)), revision=None)


def _connections(folder: Path, url: str, port: int) -> Path:
    """The file of connections; its secrets lie beside it."""
    (folder / "api_token").write_text(API_TOKEN)
    (folder / "webhook_secret").write_text(SECRET)
    lines = [
        "[defaults]",
        f'base_url = "{url}"',
        f'organization_id = "{ORGANIZATION_ID}"',
        f'api_token = {{ file = "{folder / "api_token"}" }}',
        f'webhook_secret = {{ file = "{folder / "webhook_secret"}" }}',
        f'webhook_public_url = "http://127.0.0.1:{port}"',
        "availability_cache_seconds = 1",
        f"http_timeout_seconds = {HTTP_TIMEOUT_S}",
        f"reconcile_seconds = {RECONCILE_S}",
    ]
    for name, (org, room_id) in ROOMS.items():
        lines += [f"[connections.{name}]", f'org = "{org}"', f'room_id = "{room_id}"']
    path = folder / "giosg.toml"
    path.write_text("\n".join(lines))
    return path


def _workers(folder: Path, nats_url: str, connections: Path, ports: tuple[int, ...]) -> dict[str, WorkerProcess]:
    shared = {"HEIMDALL_NATS_URL": nats_url, "PYTHONPATH": str(ROOT)}
    bot = {**shared, f"HEIMDALL_{CHAT.upper()}_ORG": DEMO_ORG}
    found = {
        "linker": WorkerProcess("linker", folder / "linker.log", shared),
        "expiry": WorkerProcess("expiry", folder / "expiry.log", shared),
        "bot": WorkerProcess("bot", folder / "bot.log", bot, module=PROGRAM),
    }
    for name, port in zip(GIOSG_WORKERS, ports, strict=True):
        settings = {
            **shared,
            "HEIMDALL_GIOSG_CONNECTIONS": str(connections),
            "HEIMDALL_GIOSG_PORT": str(port),
        }
        found[name] = WorkerProcess("giosg", folder / f"{name}.log", settings)
    return found
