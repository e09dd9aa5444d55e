"""`heimdall channels change`: some settings of a channel."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from broker.cli.channels import form
from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Channel, Type
from broker.cli.channels.shown import channel_lines
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal, note
from broker.domain.wire import Body

Unset = Annotated[
    list[str] | None, typer.Option("--unset", help="A field to remove, as in --unset bot_api_token; repeatable.")
]


def command(  # noqa: PLR0913 - one parameter for each option
    channel: Channel,
    *,
    name: form.Name = None,
    domain: form.Domain = None,
    email: form.Email = None,
    branch: form.Branch = None,
    deployment: form.Deployment = None,
    password_file: form.PasswordFile = None,
    bot_token_file: form.BotTokenFile = None,
    basic_password_file: form.BasicPasswordFile = None,
    advanced: form.Advanced = None,
    unset: Unset = None,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Change some settings of a channel; the others stay.

    An automatic channel is deployed anew when its branch changes. Conversations that are open keep their version.

    Example: heimdall channels change "Shop chat" --branch v1.4.0
    Example: heimdall channels change "Shop chat" --unset email --unset password
    """
    asked = Asked.of(nats_url, org, kind)
    changes = {
        **form.advanced_fields(advanced),
        **form.plain(name=name, domain=domain, email=email, branch=branch, deployment=deployment),
        **form.secrets(password_file, bot_token_file, basic_password_file),
        **dict.fromkeys(unset or ()),
    }
    if not changes:
        raise typer.BadParameter("say what to change, as in --branch v1.4.0")
    asyncio.run(_change(asked, channel, changes, Terminal(as_json=as_json)))


async def _change(asked: Asked, channel: str, changes: Body, out: Terminal) -> None:
    async with asked.adapter() as adapter:
        channel_id = await adapter.id_of(channel)
        before = await adapter.ask("show", {"id": channel_id})
        changed = await adapter.ask("change", {"id": channel_id, "changes": changes})
    if out.as_json:
        out.record(changed)
    else:
        channel_lines(changed, out)
    if changed.get("deployment_id") != before.get("deployment_id"):
        note(f"it is being deployed: see 'heimdall channels deployments {channel_id}'")
