"""`heimdall channels create`: a new way to the outside, with its endpoint and its first deployment."""

from __future__ import annotations

import asyncio
import sys

from broker.cli.channels import form
from broker.cli.channels.asking import DEFAULT_TYPE, Asked, Type
from broker.cli.channels.shown import channel_lines
from broker.cli.channels.waiting import NoWait, ended, exit_unless_succeeded
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org
from broker.cli.terminal import Terminal
from broker.domain.wire import Body


def command(  # noqa: PLR0913 - one parameter for each option
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
    no_wait: NoWait = False,
    kind: Type = DEFAULT_TYPE,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Create a channel, and wait until its program is deployed.

    Shows the address to put into Webim's settings. All that is wrong is told at once. Ends with 1 if the deployment
    failed; the channel is there all the same.

    Example: heimdall channels create --domain examplecom --bot-token-file token.txt --branch main
    """
    asked = Asked.of(nats_url, org, kind)
    if email is not None and password_file is None and sys.stdin.isatty():
        password_file = form.STANDARD_INPUT  # which asks for it
    body = {
        **form.advanced_fields(advanced),
        **form.plain(name=name, domain=domain, email=email, branch=branch, deployment=deployment),
        **form.secrets(password_file, bot_token_file, basic_password_file),
    }
    asyncio.run(_create(asked, body, Terminal(as_json=as_json), wait=not no_wait))


async def _create(asked: Asked, body: Body, out: Terminal, *, wait: bool) -> None:
    async with asked.adapter() as adapter:
        channel = await adapter.ask("create", body)
        channel_id, deployment_id = str(channel.get("id")), channel.get("deployment_id")
        if not wait or deployment_id is None:
            _show(channel, out)
            return
        deployment = await ended(adapter, channel_id, str(deployment_id))
        _show(await adapter.ask("show", {"id": channel_id}), out)
    exit_unless_succeeded(deployment, channel_id)


def _show(channel: Body, out: Terminal) -> None:
    if out.as_json:
        out.record(channel)
    else:
        channel_lines(channel, out)
