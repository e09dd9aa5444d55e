"""`heimdall channels`: an org's ways to outside systems, such as a Webim account."""

from __future__ import annotations

import asyncio

import typer

from broker.cli.channels import change, create, deploy, deployments, remove
from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Channel, Type
from broker.cli.channels.shown import channel_lines, channel_table
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal, note
from broker.domain.wire import Body

app = typer.Typer(help="Create, list, show, change, deploy and remove an org's channels.", no_args_is_help=True)


@app.command("list")
def list_channels(
    *, kind: Type = DEFAULT_TYPE, org: Org = DEMO_ORG, as_json: AsJson = False, nats_url: NatsUrl = None
) -> None:
    """List an org's channels, oldest first; nothing that opens anything is among it.

    Example: heimdall channels list --org 0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90
    """
    asked, out = Asked.of(nats_url, org, kind), Terminal(as_json=as_json)
    found = asyncio.run(_list(asked))
    if out.as_json:
        for channel in found:
            out.record(channel)
    elif found:
        out.columns(channel_table(found))
    else:
        note(f"org {asked.org} has no {asked.channel} channels: create one with 'heimdall channels create'")


@app.command("show")
def show_channel(
    channel: Channel,
    *,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Show one channel with the address of its endpoint; all its fields with --json.

    Example: heimdall channels show "Shop chat"
    """
    found = asyncio.run(_show(Asked.of(nats_url, org, kind), channel))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(found)
    else:
        channel_lines(found, out)


async def _list(asked: Asked) -> list[Body]:
    async with asked.adapter() as adapter:
        return await adapter.channels()


async def _show(asked: Asked, channel: str) -> Body:
    async with asked.adapter() as adapter:
        return await adapter.ask("show", {"id": await adapter.id_of(channel)})


app.command("create")(create.command)
app.command("change")(change.command)
app.command("deploy")(deploy.command)
app.command("deployments")(deployments.command)
app.command("remove")(remove.command)
