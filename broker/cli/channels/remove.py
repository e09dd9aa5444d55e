"""`heimdall channels remove`: a channel, its endpoint and its deployments are gone."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Channel, Type
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal, one_line
from broker.domain.wire import Body


def command(
    channel: Channel,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Remove a channel: Webim's calls get 404 from then on. Asks first.

    What its conversations hold stays in the log as long as everything else.

    Example: heimdall channels remove "Shop chat" --yes
    """
    asked = Asked.of(nats_url, org, kind)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("a removed channel takes no calls: say --yes where nobody can be asked")
        typer.confirm(f"Remove channel {one_line(channel)} for good?", abort=True, err=True)
    removed = asyncio.run(_remove(asked, channel))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(removed)
    else:
        out.row(Text.assemble(("removed", "bold green"), f" {one_line(str(removed.get('id')))}"))


async def _remove(asked: Asked, channel: str) -> Body:
    async with asked.adapter() as adapter:
        return await adapter.ask("remove", {"id": await adapter.id_of(channel)})
