"""`heimdall demo webim`: server, workers, a program in git, a simulated Webim, and a conversation through all of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass

from broker.cli.bus import connected
from broker.cli.child import Child, Plan
from broker.cli.demo.channel import create_channel, deployed
from broker.cli.demo.play import HELP, keep_playing, play, typed_lines
from broker.cli.demo.project import make_project
from broker.cli.demo.simulated_webim import SimulatedWebim, simulated_webim
from broker.cli.demo.stage import Wanted, until_stopped
from broker.cli.demo.telling import Story, log_told
from broker.cli.own_name import typed_as
from broker.cli.stack import ensure_topology, running, wait_ready
from broker.cli.terminal import note
from broker.runtime.embedded import EmbeddedServer, free_port, nats_server
from broker.runtime.settings import Settings, load
from broker.runtime.signals import stop_on_signals

DOMAIN = "demo"
ADMIN = "admin@example.com"
COMMIT_SHOWN = 12
PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made up for one run."""

    bot_token: str
    admin_password: str

    @classmethod
    def drawn(cls) -> Secrets:
        """New ones."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16))


async def show(wanted: Wanted) -> None:
    """Start everything, play, and end everything; or go on until a stop signal where that is wanted."""
    settings, story, began_s = load(Settings), Story(wanted.out), time.monotonic()
    make_project(wanted.folder.path / PROJECT)
    async with (
        stop_on_signals() as stop,
        simulated_webim(wanted.root) as webim,
        nats_server(wanted.folder.server_dir) as server,
    ):
        await ensure_topology(server.url, settings)
        port = free_port()
        children = [Child(plan, wanted.folder.logs_dir, note) for plan in plans(wanted, server, webim, port)]
        async with running(server, children, note):
            await until_stopped(_tell(wanted, story, server, webim, children, began_s), stop)


def plans(wanted: Wanted, server: EmbeddedServer, webim: SimulatedWebim, port: int) -> tuple[Plan, ...]:
    """What to run, and with which settings."""
    shared = {"HEIMDALL_NATS_URL": server.url}
    return (
        Plan("linker", shared),
        Plan("expiry", shared),
        Plan(
            "programs",
            {
                **shared,
                "HEIMDALL_PROGRAMS_REPOSITORY": str(wanted.folder.path / PROJECT),
                "HEIMDALL_PROGRAMS_FOLDER": str(wanted.folder.path / "programs"),
                "HEIMDALL_PROGRAMS_POLL_S": "1",
            },
        ),
        Plan(
            "webim",
            {
                **shared,
                "HEIMDALL_WEBIM_PORT": str(port),
                "HEIMDALL_WEBIM_PUBLIC_URL": f"http://127.0.0.1:{port}",
                "HEIMDALL_WEBIM_BASE_URL_TEMPLATE": webim.url,
                "HEIMDALL_WEBIM_PRIVATE_ADDRESSES": "true",
            },
            ready_port=port,
        ),
    )


async def _tell(
    wanted: Wanted,
    story: Story,
    server: EmbeddedServer,
    webim: SimulatedWebim,
    children: list[Child],
    began_s: float,
) -> None:
    await wait_ready(children, note)
    story.tell("heimdall", "ready", f"everything runs after {time.monotonic() - began_s:.1f} s")
    async with connected(server.url) as connection:
        drawn = Secrets.drawn()
        channel = await create_channel(
            connection, domain=DOMAIN, email=ADMIN, password=drawn.admin_password, bot_api_token=drawn.bot_token
        )
        story.tell("heimdall", "created", f"channel {channel.id} {channel.name!r}: the program is being deployed")
        version = await deployed(connection, channel.id)
        story.tell(
            "heimdall",
            "deployed",
            f"{version.ref} is commit {str(version.commit)[:COMMIT_SHOWN]}: service {version.service} answers",
        )
        handlers = {"chat_closed": f"{channel.endpoint_url}/handlers/chat_closed"}
        await webim.configure(
            endpoint_url=channel.endpoint_url,
            bot_token=drawn.bot_token,
            admin_email=ADMIN,
            admin_password=drawn.admin_password,
            handlers=handlers,
        )
        async with log_told(connection, f"webim.org.*.name.live{channel.id}.>", story):
            story.blank()
            await play(webim, story)
            story.blank()
            _say_how_to_look(wanted, story, server)
            if wanted.keep:
                await _go_on(webim, story)


async def _go_on(webim: SimulatedWebim, story: Story) -> None:
    story.tell("heimdall", "kept", HELP)
    lines = typed_lines()
    try:
        await keep_playing(webim, story, lines)
    finally:
        await lines.aclose()  # type: ignore[attr-defined]  # it is a generator
    await asyncio.Event().wait()  # until Ctrl-C


def _say_how_to_look(wanted: Wanted, story: Story, server: EmbeddedServer) -> None:
    if not wanted.keep:
        again = typed_as("demo webim --keep")
        looks = "to look at it with 'heimdall tap', 'explain' and 'channels list', and to write yourself"
        story.tell("heimdall", "ended", f"That was all. {again} lets it run on, {looks}.")
        return
    hints = [f"in a second terminal: export HEIMDALL_NATS_URL={server.url}"]
    hints += [
        f"{typed_as(words)} ({what})"
        for words, what in (
            ("tap", "the whole conversation again, and what comes"),
            ("explain 6", "the story of one event: who took it and why"),
            ("links", "which version answers which conversation"),
            ("channels list", "the channel, and the version that answers"),
        )
    ]
    hints.append(f"another version: commit to {wanted.folder.path / PROJECT}")
    hints.append(f"the workers' logs: {wanted.folder.logs_dir}")
    for hint in hints:
        story.tell("heimdall", "hinted", hint)
