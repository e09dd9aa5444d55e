"""Finishes what a killed process began: a channel that was made or changed and not deployed, or half removed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from broker.codec import decode
from broker.domain.deployments import FOLLOW, Follow, follow_key
from broker.domain.wire import dump
from broker.errors import BackboneError, UnknownChannelError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table
from workers.webim.administration.admin import ChannelAdmin
from workers.webim.administration.wishes import ChannelWishes, is_due
from workers.webim.channel import Channel
from workers.webim.channels import Channels

LOOK_EVERY_S = 5.0

log = structlog.get_logger()


class Mending:
    """Looks at live copies, so where nothing is to be mended it asks the server nothing."""

    def __init__(self, channels: Channels, admin: ChannelAdmin, wishes: ChannelWishes, follows: Table) -> None:
        self._channels = channels
        self._admin = admin
        self._wishes = wishes
        self._follows = follows

    async def look(self) -> None:
        """One look at every channel."""
        for channel in self._channels.removing():
            with contextlib.suppress(UnknownChannelError):  # somebody else has done it
                await self._admin.remove(channel.org, channel.id)
        for org, channel_id in self._channels.removed():
            if self._channels.has_deployments(channel_id) or self._follows.get(follow_key(org, channel_id)) is not None:
                await self._wishes.forget(org, channel_id)
        for channel in self._channels.everything():
            if is_due(channel, self._channels.standing(channel)) or not self._is_followed(channel):
                with contextlib.suppress(UnknownChannelError):
                    await self._wishes.fulfil(channel)

    def _is_followed(self, channel: Channel) -> bool:
        """Whether its Follow is what its settings say."""
        found = self._follows.get(follow_key(channel.org, channel.id))
        if channel.settings.deployment == "manual":
            return found is None
        wanted = Follow(org=channel.org, channel_id=channel.id, ref=channel.settings.branch)
        return found is not None and decode(found.value) == dump(wanted)

    async def keep(self) -> None:
        """Look again and again."""
        while True:
            try:
                await self.look()
            except BackboneError as error:
                log.warning("mending_deferred", error_code=error.code)
            await asyncio.sleep(LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def mending(
    connection: Connection, channels: Channels, admin: ChannelAdmin, wishes: ChannelWishes, programs: Records
) -> AsyncIterator[Mending]:
    """Keep looking until the end of the block."""
    async with Table(connection, programs, pattern=f"*.{FOLLOW}.>") as follows:
        found = Mending(channels, admin, wishes, follows)
        keeping = asyncio.create_task(found.keep())
        try:
            yield found
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
