"""The commands about channels: ``stubber.systems.commands.org.<O>.channel.webim.<verb>``, the same as by HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from broker.codec import decode
from broker.domain.channel_forms import (
    ChangeChannel,
    ChannelNamed,
    ChannelsReply,
    DeploymentNamed,
    DeploymentsReply,
    DeployReply,
)
from broker.domain.ids import OrgId
from broker.domain.subjects import ChannelVerb
from broker.domain.wire import Body, validate
from broker.runtime.replying import reply_of
from broker.transport.commands import Command
from workers.webim.administration.admin import ChannelAdmin
from workers.webim.channel import WEBIM

Answer = Callable[[OrgId, Body], Awaitable[Body]]


class ChannelCommands:
    """One method per verb; what cannot be done is a reply as well."""

    def __init__(self, admin: ChannelAdmin) -> None:
        self._admin = admin
        self._verbs: dict[ChannelVerb, Answer] = {
            "create": self._create,
            "list": self._list,
            "show": self._show,
            "change": self._change,
            "deploy": self._deploy,
            "deployment": self._deployment,
            "deployments": self._deployments,
            "remove": self._remove,
        }

    async def __call__(self, command: Command) -> bytes:
        """The encoded reply."""

        async def act() -> Body:
            parsed = command.parsed_for_channel
            return await self._verbs[parsed.verb](parsed.org, decode(command.data))

        return await reply_of(act, worker=f"{WEBIM} worker")

    async def _create(self, org: OrgId, body: Body) -> Body:
        return (await self._admin.create(org, body)).model_dump()

    async def _list(self, org: OrgId, _body: Body) -> Body:
        return ChannelsReply(channels=await self._admin.channels(org)).model_dump()

    async def _show(self, org: OrgId, body: Body) -> Body:
        return (await self._admin.show(org, _named(body))).model_dump()

    async def _change(self, org: OrgId, body: Body) -> Body:
        wanted = validate(ChangeChannel, body, what="change")
        return (await self._admin.change(org, wanted.id, wanted.changes)).model_dump()

    async def _deploy(self, org: OrgId, body: Body) -> Body:
        return DeployReply(deployment_id=await self._admin.deploy(org, _named(body))).model_dump()

    async def _deployment(self, org: OrgId, body: Body) -> Body:
        wanted = validate(DeploymentNamed, body, what="deployment")
        return (await self._admin.deployment(org, wanted.id, wanted.deployment_id)).model_dump()

    async def _deployments(self, org: OrgId, body: Body) -> Body:
        return DeploymentsReply(deployments=await self._admin.deployments(org, _named(body))).model_dump()

    async def _remove(self, org: OrgId, body: Body) -> Body:
        return (await self._admin.remove(org, _named(body))).model_dump()


def _named(body: Body) -> str:
    return validate(ChannelNamed, body, what="channel").id
