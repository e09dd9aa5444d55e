"""`heimdall links`: who owns which conversation, and for how long still."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.event_line import SESSION_SHOWN
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Columns, Terminal, date_and_time, duration, note
from broker.domain.ids import OrgId, Stub
from broker.transport.links import LiveLink, live_links
from broker.transport.publisher import open_publisher
from broker.transport.records import Records
from broker.transport.topology import STUBSESSIONS

NAME = "links"
WATCH_EVERY_S = 1.0
SOON_S = 600
STUB_WIDTH_MIN = 30
"""As wide as the kit's own stub references: their last characters tell them apart."""


def command(
    *,
    stub: Annotated[str | None, typer.Option(help="Only links to this stub, <service>.<stubref>.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show them again every second until Ctrl-C.")] = False,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List live links: which stub owns which session.

    With the time that is left; expired links are absent.

    Example: heimdall links --stub demo.2024-11-11-ABCD --watch
    """
    chosen = None if stub is None else Stub.parse(stub)
    out = Terminal(as_json=as_json)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(nats_url_of(nats_url), org_of(org), chosen, out, watch=watch))


async def _run(url: str, org: OrgId, stub: Stub | None, out: Terminal, *, watch: bool) -> None:
    async with _bucket(url) as records:
        found = await live_links(records, org, stub, now_ms=_now_ms())
        if not watch:
            _show(found, org, out)
            return
        if out.as_json:
            await _watch_as_json(records, org, stub, out)
            return
        with Live(console=out.console, auto_refresh=False) as live:
            while True:
                live.update(_table(found).lines(out.console.width), refresh=True)
                await asyncio.sleep(WATCH_EVERY_S)
                found = await live_links(records, org, stub, now_ms=_now_ms())


async def _watch_as_json(records: Records, org: OrgId, stub: Stub | None, out: Terminal) -> None:
    while True:
        out.record({"links": [_record(link) for link in await live_links(records, org, stub, now_ms=_now_ms())]})
        await asyncio.sleep(WATCH_EVERY_S)


@contextlib.asynccontextmanager
async def _bucket(url: str) -> AsyncIterator[Records]:
    async with connected(url) as connection, open_publisher(connection) as publisher:
        yield Records(connection, publisher, STUBSESSIONS)


def _show(found: list[LiveLink], org: OrgId, out: Terminal) -> None:
    if out.as_json:
        for link in found:
            out.record(_record(link))
    elif found:
        out.columns(_table(found))
    else:
        note(f"org {org} has no live links")


def _record(link: LiveLink) -> dict[str, object]:
    left_s = round((link.expires_at_ms - _now_ms()) / 1000, 3)
    return {
        **asdict(link),
        "stub": str(link.stub),
        "platform": link.channel,
        "endpoint": link.endpoint,
        "profile": link.profile,
        "left_s": left_s,
    }


def _table(found: list[LiveLink]) -> Columns:
    headings = ("platform", "endpoint", "stub", "left", "feedback action", "hours", "expires at")
    table = Columns(*headings, flexible="stub", width_min=STUB_WIDTH_MIN)
    for link in found:
        left_s = (link.expires_at_ms - _now_ms()) / 1000
        table.add(
            link.channel,
            Text(_endpoint(link), "magenta"),
            Text(str(link.stub), "bold"),
            Text(duration(left_s), "yellow" if left_s < SOON_S else "green"),
            link.feedback_action,
            f"{link.timeout_hours:g}",
            Text(date_and_time(link.expires_at_ms), "dim"),
        )
    return table


def _endpoint(link: LiveLink) -> str:
    """The number and its profile, or as much of the session uuid as other commands show."""
    return link.session[:SESSION_SHOWN] if link.mobile_number is None else f"{link.mobile_number} at {link.chat_name}"


def _now_ms() -> int:
    return int(time.time() * 1000)
