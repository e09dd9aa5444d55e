"""The demo's channel: created by command, as `heimdall channels create` does, and waited for until it answers."""

from __future__ import annotations

import asyncio

from broker.cli.demo.telling import STEP_WAIT_S
from broker.cli.options import DEMO_ORG
from broker.codec import encode
from broker.domain.channel_forms import ActiveVersion, ChannelShown
from broker.domain.ids import ChannelName, OrgId
from broker.domain.subjects import ChannelCommandSubject, ChannelVerb
from broker.domain.wire import Body, validate
from broker.errors import DemoDeploymentError, DemoStuckError
from broker.transport.commands import request_command
from broker.transport.connection import Connection

WEBIM = ChannelName("webim")
LOOK_S = 0.1


async def create_channel(connection: Connection, **form: str) -> ChannelShown:
    """A channel with that form; its name, and all that was not given, are the default's."""
    return await _shown(connection, "create", dict(form))


async def deployed(connection: Connection, channel_id: str) -> ActiveVersion:
    """The version that answers, once there is one.

    Raises:
        DemoDeploymentError: the program cannot be deployed.
        DemoStuckError: it takes too long.
    """
    try:
        async with asyncio.timeout(STEP_WAIT_S):
            while (channel := await _shown(connection, "show", {"id": channel_id})).active is None:
                if channel.status == "failed":
                    raise DemoDeploymentError(await _log_of(connection, channel))
                await asyncio.sleep(LOOK_S)
    except TimeoutError as error:
        raise DemoStuckError("the program is not deployed", wait_s=STEP_WAIT_S) from error
    return channel.active


async def _log_of(connection: Connection, channel: ChannelShown) -> str:
    asked: Body = {"id": channel.id, "deployment_id": channel.deployment_id}
    return str((await _ask(connection, "deployment", asked)).get("log", ""))


async def _shown(connection: Connection, verb: ChannelVerb, body: Body) -> ChannelShown:
    return validate(ChannelShown, await _ask(connection, verb, body), what="channel")


async def _ask(connection: Connection, verb: ChannelVerb, body: Body) -> Body:
    return await request_command(connection, ChannelCommandSubject(OrgId(DEMO_ORG), WEBIM, verb), encode(body))
