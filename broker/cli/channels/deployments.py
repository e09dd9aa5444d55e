"""`heimdall channels deployments`: what became of a channel's deployments, or of one with its log."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Channel, Type, maps_in
from broker.cli.channels.shown import deployment_table
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal, note, printable


def command(
    channel: Channel,
    deployment: Annotated[str | None, typer.Argument(help="One of them, to see its log.", show_default=False)] = None,
    *,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List a channel's deployments, newest first, or show one with its log.

    Example: heimdall channels deployments "Shop chat"
    """
    found = asyncio.run(_read(Asked.of(nats_url, org, kind), channel, deployment))
    out = Terminal(as_json=as_json)
    if out.as_json:
        for one in found:
            out.record(one)
    elif found:
        out.columns(deployment_table(found))
        if deployment is not None:
            out.text("\n".join(map(printable, str(found[0].get("log")).splitlines())))
    else:
        note("it has none yet: 'heimdall channels deploy' asks for one")


async def _read(asked: Asked, channel: str, deployment: str | None) -> list[dict[str, Any]]:
    async with asked.adapter() as adapter:
        channel_id = await adapter.id_of(channel)
        if deployment is None:
            return maps_in(await adapter.ask("deployments", {"id": channel_id}), "deployments")
        return [await adapter.ask("deployment", {"id": channel_id, "deployment_id": deployment})]
