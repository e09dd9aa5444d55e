"""`heimdall dev`: the whole backbone in one terminal."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.child import Child, Plan
from broker.cli.dev_folder import FOLDER_NAME, DevFolder
from broker.cli.options import DEFAULT_NATS_URL
from broker.cli.own_name import typed_as
from broker.cli.stack import ensure_topology, running, wait_ready
from broker.cli.terminal import note
from broker.errors import PortTakenError
from broker.runtime.embedded import free_port, nats_server
from broker.runtime.settings import Settings, child_environment, load
from broker.runtime.signals import stop_on_signals

NAME = "dev"
NATS_PORT = 4222
WEBCHAT_PORT = 8080
WEBIM_PORT = 8081
PAGE_PATH = "/"
PUBLIC_URL = "HEIMDALL_WEBIM_PUBLIC_URL"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; a port of None may be any, the usual one first."""

    folder: DevFolder
    port: int | None
    nats_port: int | None
    webim_port: int | None
    link_hours: float
    started_at_s: float


def command(
    *,
    link_hours: Annotated[float, typer.Option(help="For how long the demo links a conversation.")] = 24.0,
    data_dir: Annotated[Path, typer.Option(help="Where data and logs are kept.")] = Path(FOLDER_NAME),
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"Port of the demo page; else {WEBCHAT_PORT}, or a free one."),
    ] = None,
    nats_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help=f"Port of the NATS server; else {NATS_PORT}, or a free one.")
    ] = None,
    webim_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help=f"Port that Webim calls; else {WEBIM_PORT}, or a free one.")
    ] = None,
    started_at: Annotated[float | None, typer.Option(hidden=True, envvar="HEIMDALL_STARTED_AT")] = None,
) -> None:
    """Run everything on this machine, in one terminal.

    NATS server, the workers and the demo program; what dies is started again. Ctrl-C ends it all.

    Example: heimdall dev --link-hours 0.001
    """
    if not 0 < link_hours < math.inf:
        raise typer.BadParameter("--link-hours must be above 0, such as 24 or 0.001")
    wanted = Wanted(DevFolder(data_dir), port, nats_port, webim_port, link_hours, started_at or time.time())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(wanted))


async def _run(wanted: Wanted) -> None:
    folder, settings = wanted.folder, load(Settings)
    with folder.claimed():
        web_port = _port(wanted.port, WEBCHAT_PORT, "the demo page", "--port")
        webim_port = _port(wanted.webim_port, WEBIM_PORT, "Webim's endpoint", "--webim-port")
        nats_port = _port(wanted.nats_port, NATS_PORT, "the NATS server", "--nats-port")
        async with stop_on_signals() as stop, nats_server(folder.server_dir, port=nats_port) as server:
            await ensure_topology(server.url, settings)
            planned = plans(wanted, server.url, web_port, webim_port)
            children = [Child(plan, folder.logs_dir, note) for plan in planned]
            page_url, webim_url = f"http://127.0.0.1:{web_port}{PAGE_PATH}", f"http://127.0.0.1:{webim_port}"
            async with running(server, children, note):
                ready = asyncio.create_task(wait_ready(children, note))
                stopped = asyncio.create_task(stop.wait())
                await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set():
                    with folder.announced(server.url, page_url):
                        _say_ready(wanted, server.url, page_url, webim_url)
                        await stopped
                ready.cancel()
                note("stopping")


def plans(wanted: Wanted, nats_url: str, web_port: int, webim_port: int) -> tuple[Plan, ...]:
    """What to run, and with which settings."""
    webim_url = f"http://127.0.0.1:{webim_port}"
    public_url = child_environment({}).get(PUBLIC_URL) or webim_url  # whoever has a proxy in front says so
    webim = {"HEIMDALL_WEBIM_PORT": str(webim_port), PUBLIC_URL: public_url}
    shared = {"HEIMDALL_NATS_URL": nats_url}
    return (
        Plan("linker", shared),
        Plan("expiry", shared),
        Plan("webchat", {**shared, "HEIMDALL_WEBCHAT_PORT": str(web_port)}, ready_port=web_port),
        Plan("webim", {**shared, **webim}, ready_port=webim_port),
        Plan("programs", {**shared, "HEIMDALL_PROGRAMS_FOLDER": str(wanted.folder.path / "programs")}),
        Plan("demo", {**shared, "HEIMDALL_DEMO_LINK_HOURS": f"{wanted.link_hours:g}"}),
    )


def _port(asked: int | None, usual: int, purpose: str, option: str) -> int:
    """The port that was asked for, else the usual one, else any.

    Raises:
        PortTakenError: the one that was asked for is somebody else's.
    """
    found = free_port(asked or usual)
    if asked is not None and found != asked:
        raise PortTakenError(asked, option=option)
    if found != (asked or usual):
        note(f"port {usual} is taken, {purpose} gets {found}")
    return found


def _say_ready(wanted: Wanted, nats_url: str, page_url: str, webim_url: str) -> None:
    took_s = time.time() - wanted.started_at_s
    lines = (
        f"heimdall is ready after {took_s:.1f} s",
        "",
        f"  demo page    {page_url}",
        f"  Webim calls  {webim_url}/chatapi/webim/…, see {typed_as('channels --help')}",
        "  programs     of the git repository HEIMDALL_PROGRAMS_REPOSITORY, else run by you",
        f"  NATS server  {nats_url}",
        f"  watch it     {tap_command(wanted.folder.path, nats_url)}",
        "",
        f"Ctrl-C ends it; data and logs stay in {wanted.folder.path}",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def tap_command(folder: Path, nats_url: str) -> str:
    """A line that works in another terminal, in the same folder as this one."""
    found_by_itself = nats_url == DEFAULT_NATS_URL or folder.absolute().name == FOLDER_NAME
    return typed_as("tap" if found_by_itself else f"tap --nats-url {nats_url}")
