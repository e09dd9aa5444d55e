"""`heimdall demo giosg`: server, workers, a bot, a simulated giosg, and a visitor who is handed over to an agent."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from broker.cli.bus import connected
from broker.cli.child import Child, Plan
from broker.cli.demo.hand_over import play
from broker.cli.demo.simulated_giosg import SimulatedGiosg, simulated_giosg
from broker.cli.demo.stage import Wanted, until_stopped
from broker.cli.demo.telling import Story, log_told
from broker.cli.demo.web_visitor import web_visitor
from broker.cli.options import DEMO_ORG
from broker.cli.own_name import typed_as
from broker.cli.stack import ensure_topology, running, wait_ready
from broker.cli.terminal import note
from broker.runtime.embedded import free_port, nats_server
from broker.runtime.settings import Settings, load
from broker.runtime.signals import stop_on_signals

CONNECTION = "support"
CHAT = "draftsupport"
CHATS = f"webchat.org.{DEMO_ORG}.name.{CHAT}.>"
PROGRAM = "demo.reception"
API_TOKEN = "GIOSG_API_TOKEN"
WEBHOOK_SECRET = "GIOSG_WEBHOOK_SECRET"
"""Variables that the connections file refers to."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of one run are, and the secrets that were made up for it."""

    nats_url: str
    page_port: int
    desk_port: int
    connections: Path
    api_token: str
    webhook_secret: str

    @property
    def page_url(self) -> str:
        """The visitor's page."""
        return f"http://127.0.0.1:{self.page_port}/"

    @property
    def desk_url(self) -> str:
        """What giosg calls, without the connection's own path."""
        return f"http://127.0.0.1:{self.desk_port}"


async def show(wanted: Wanted) -> None:
    """Start everything, play, and end everything; or let a person play until a stop signal."""
    settings, story, began_s = load(Settings), Story(wanted.out), time.monotonic()
    async with (
        stop_on_signals() as stop,
        simulated_giosg(wanted.root) as giosg,
        nats_server(wanted.folder.server_dir) as server,
    ):
        await ensure_topology(server.url, settings)
        places = _places(wanted, server.url)
        await _set_up(giosg, places)
        children = [Child(plan, wanted.folder.logs_dir, note) for plan in plans(places)]
        async with running(server, children, note):
            await until_stopped(_tell(wanted, story, giosg, places, children, began_s), stop)


def plans(places: Places) -> tuple[Plan, ...]:
    """What to run, and with which settings."""
    shared = {"HEIMDALL_NATS_URL": places.nats_url}
    page = {"HEIMDALL_WEBCHAT_PORT": str(places.page_port)}
    page |= {"HEIMDALL_WEBCHAT_DEMO_CHAT": CHAT, "HEIMDALL_WEBCHAT_DEMO_TITLE": "Support"}
    desk = {"HEIMDALL_GIOSG_PORT": str(places.desk_port), "HEIMDALL_GIOSG_CONNECTIONS": str(places.connections)}
    desk |= {API_TOKEN: places.api_token, WEBHOOK_SECRET: places.webhook_secret}
    return (
        Plan("linker", shared),
        Plan("expiry", shared),
        Plan("webchat", {**shared, **page}, ready_port=places.page_port),
        Plan("giosg", {**shared, **desk}, ready_port=places.desk_port),
        Plan(PROGRAM, shared),
    )


def connections_file(giosg: SimulatedGiosg, places: Places, *, organization_id: str, room_id: str) -> str:
    """The one connection of the demo; its secrets are in the worker's environment."""
    return f"""\
[connections.{CONNECTION}]
org = "{DEMO_ORG}"
base_url = "{giosg.url}"
organization_id = "{organization_id}"
room_id = "{room_id}"
api_token = {{ env = "{API_TOKEN}" }}
webhook_secret = {{ env = "{WEBHOOK_SECRET}" }}
webhook_public_url = "{places.desk_url}"
"""


def _places(wanted: Wanted, nats_url: str) -> Places:
    return Places(
        nats_url=nats_url,
        page_port=free_port(),
        desk_port=free_port(),
        connections=wanted.folder.path / "giosg.toml",
        api_token=secrets.token_urlsafe(24),
        webhook_secret=secrets.token_urlsafe(24),
    )


async def _set_up(giosg: SimulatedGiosg, places: Places) -> None:
    """Both sides learn of each other, as an administrator would tell them."""
    webhooks_url = f"{places.desk_url}/giosg/{CONNECTION}"
    await giosg.set_up(api_token=places.api_token, webhooks_url=webhooks_url, secret=places.webhook_secret)
    text = connections_file(giosg, places, organization_id=await giosg.organization_id(), room_id=await giosg.room_id())
    await asyncio.to_thread(places.connections.write_text, text, encoding="utf-8")


async def _tell(
    wanted: Wanted,
    story: Story,
    giosg: SimulatedGiosg,
    places: Places,
    children: list[Child],
    began_s: float,
) -> None:
    await wait_ready(children, note)
    story.tell("heimdall", "ready", f"everything runs after {time.monotonic() - began_s:.1f} s")
    async with connected(places.nats_url) as connection, log_told(connection, CHATS, story):
        if wanted.keep:
            _say_how_to_play(wanted, story, giosg, places)
            await asyncio.Event().wait()  # until Ctrl-C
        async with web_visitor(places.page_port, story) as visitor:
            story.blank()
            await visitor.comes(DEMO_ORG, CHAT)
            await play(visitor, giosg, story)
            story.blank()
        again = typed_as("demo giosg --keep")
        story.tell("heimdall", "ended", f"That was all. {again} lets you play both sides in two browser windows.")


def _say_how_to_play(wanted: Wanted, story: Story, giosg: SimulatedGiosg, places: Places) -> None:
    story.tell("heimdall", "kept", f"the visitor: {places.page_url}", url=places.page_url)
    story.tell("heimdall", "kept", f"the agent:   {giosg.console_url}", url=giosg.console_url)
    hints = (
        "open both, side by side: the chat window in the corner of the first, write something, then 'agent'",
        "in the second choose the chat, join, answer, end it: the visitor has the bot again",
        "close the room there ('Room is online') and ask for an agent: nobody is there, and the bot goes on",
        f"in a second terminal: export HEIMDALL_NATS_URL={places.nats_url}",
        f"{typed_as('tap')} (everything, both directions), {typed_as('links')} (who has which conversation)",
        f"{typed_as('webhooks log')} (what giosg called us with, and what it was answered)",
        f"the connection: {places.connections}; the workers' logs: {wanted.folder.logs_dir}",
        "Ctrl-C ends it all",
    )
    for hint in hints:
        story.tell("heimdall", "hinted", hint)
