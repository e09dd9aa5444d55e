"""`heimdall channels deploy`: the version that a channel's branch is at now."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.text import Text

from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Channel, Type
from broker.cli.channels.shown import COMMIT_SHOWN
from broker.cli.channels.waiting import NoWait, ended, exit_unless_succeeded
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal, one_line


def command(
    channel: Channel,
    *,
    no_wait: NoWait = False,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Deploy a channel's branch as it is now, and wait for the end.

    Ends with 1 if it failed: the version before goes on answering. Only one at a time.

    Example: heimdall channels deploy "Shop chat"
    """
    asked = Asked.of(nats_url, org, kind)
    channel_id, deployment = asyncio.run(_deploy(asked, channel, wait=not no_wait))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(deployment)
    elif deployment.get("status") == "succeeded":
        version = f"{deployment.get('ref')} {str(deployment.get('commit'))[:COMMIT_SHOWN]}"
        out.row(Text.assemble(("deployed", "bold green"), f" {one_line(version)}"))
    elif no_wait:
        out.row(Text.assemble(("asked for", "bold green"), f" {one_line(str(deployment.get('id')))}"))
    if not no_wait:
        exit_unless_succeeded(deployment, channel_id)


async def _deploy(asked: Asked, channel: str, *, wait: bool) -> tuple[str, dict[str, Any]]:
    async with asked.adapter() as adapter:
        channel_id = await adapter.id_of(channel)
        deployment_id = str((await adapter.ask("deploy", {"id": channel_id})).get("deployment_id"))
        if wait:
            return channel_id, await ended(adapter, channel_id, deployment_id)
        return channel_id, await adapter.ask("deployment", {"id": channel_id, "deployment_id": deployment_id})
