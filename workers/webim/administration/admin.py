"""What an administrator may do with an org's channels; asked by HTTP and by commands on the bus alike.

Order of writes: the channel's record first, then what its settings imply. A process killed in between leaves a channel
that is there and not deployed yet; asking again mends it, and so does any webim worker that sees it (mending.py).
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping

import structlog

from broker.domain.channel_forms import (
    ChannelListed,
    ChannelRemovedReply,
    ChannelShown,
    DeploymentListed,
    DeploymentShown,
)
from broker.domain.deployments import standing_of
from broker.errors import TooManyChannelsError, UnknownChannelError, UnknownDeploymentError
from workers.webim.administration import view
from workers.webim.administration.form import read_change, read_new
from workers.webim.administration.store import ChannelStore, added, replaced, with_id, without
from workers.webim.administration.wishes import NS_PER_MS, ChannelWishes
from workers.webim.channel import CHANNELS_PER_ORG_MAX, Channel, OrgChannels

TOKEN_BYTES = 32
DEPLOYMENTS_LISTED_MAX = 100
_ALPHABET = string.ascii_lowercase + string.digits
_ID_CHARACTERS = 12

log = structlog.get_logger()


class ChannelAdmin:
    """One method per thing; ``org`` is who asks, and sees nothing of anybody else's."""

    def __init__(self, store: ChannelStore, wishes: ChannelWishes, *, public_url: str) -> None:
        self._store = store
        self._wishes = wishes
        self._public_url = public_url

    async def create(self, org: str, form: Mapping[str, object]) -> ChannelShown:
        """Make a channel, and ask for its first deployment.

        Raises:
            InvalidChannelError: every mistake in the form.
            TooManyChannelsError: the org has as many as it may have.
        """
        channel_id = "ch" + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))
        access_token, now_ms = secrets.token_urlsafe(TOKEN_BYTES), time.time_ns() // NS_PER_MS

        def change(channels: OrgChannels) -> OrgChannels:
            settings = read_new(form, names=_names(channels))
            if len(channels.channels) >= CHANNELS_PER_ORG_MAX:
                raise TooManyChannelsError(org, channels_max=CHANNELS_PER_ORG_MAX)
            made = Channel(id=channel_id, org=org, access_token=access_token, settings=settings, created_at_ms=now_ms)
            return added(channels, made)

        channel = _found(await self._store.change(org, change), channel_id, org)
        log.info("channel_created", channel_id=channel_id, org=org)
        return await self._fulfilled(channel)

    async def channels(self, org: str) -> list[ChannelListed]:
        """Oldest first."""
        standings = await self._wishes.standings(org)
        found = (await self._store.read(org)).channels
        return [
            view.listed(channel, standings.get(channel.id) or standing_of(()))
            for channel in found
            if not channel.removing
        ]

    async def show(self, org: str, channel_id: str) -> ChannelShown:
        """One channel, with its token.

        Raises:
            UnknownChannelError: the org has none of that id.
        """
        channel = await self._channel(org, channel_id)
        return view.shown(channel, await self._wishes.standing(channel), self._public_url)

    async def change(self, org: str, channel_id: str, form: Mapping[str, object]) -> ChannelShown:
        """Change what the form names; the same again changes nothing, and mends what a killed process left undone.

        Raises:
            InvalidChannelError: every mistake in the form.
            UnknownChannelError: the org has none of that id.
        """

        def change(channels: OrgChannels) -> OrgChannels:
            return replaced(channels, _changed(channels, _found(channels, channel_id, org), form))

        channel = _found(await self._store.change(org, change), channel_id, org)
        log.info("channel_changed", channel_id=channel_id, org=org)
        return await self._fulfilled(channel)

    async def deploy(self, org: str, channel_id: str) -> str:
        """Ask for a deployment of the channel's branch as it is now; its id.

        Raises:
            DeploymentInProgressError: one is open already.
            UnknownChannelError: the org has no channel of that id.
        """
        return await self._wishes.deploy(await self._channel(org, channel_id))

    async def deployments(self, org: str, channel_id: str) -> list[DeploymentListed]:
        """Newest first, without their logs."""
        found = await self._wishes.deployments(await self._channel(org, channel_id))
        newest_first = sorted(found, key=lambda one: (one.asked_at_ms, one.id), reverse=True)
        return [view.deployment_listed(one) for one in newest_first[:DEPLOYMENTS_LISTED_MAX]]

    async def deployment(self, org: str, channel_id: str, deployment_id: str) -> DeploymentShown:
        """One deployment with its log.

        Raises:
            UnknownChannelError: the org has no channel of that id.
            UnknownDeploymentError: the channel has no deployment of that id.
        """
        for found in await self._wishes.deployments(await self._channel(org, channel_id)):
            if found.id == deployment_id:
                return view.deployment_shown(found)
        raise UnknownDeploymentError(deployment_id, channel_id=channel_id)

    async def remove(self, org: str, channel_id: str) -> ChannelRemovedReply:
        """Remove a channel and what belongs to it: marked first, so that a second try goes on where one was killed.

        Raises:
            UnknownChannelError: the org has none of that id.
        """

        def mark(channels: OrgChannels) -> OrgChannels:
            found = with_id(channels, channel_id)
            if found is None:
                raise UnknownChannelError(channel_id, org=org)
            return replaced(channels, found.model_copy(update={"removing": True}))

        await self._store.change(org, mark)
        await self._wishes.forget(org, channel_id)
        await self._store.change(org, lambda channels: without(channels, channel_id))
        log.info("channel_removed", channel_id=channel_id, org=org)
        return ChannelRemovedReply(id=channel_id, removed=True)

    async def _channel(self, org: str, channel_id: str) -> Channel:
        channel = await self._store.find(org, channel_id)
        if channel is None:
            raise UnknownChannelError(channel_id, org=org)
        return channel

    async def _fulfilled(self, channel: Channel) -> ChannelShown:
        return view.shown(channel, await self._wishes.fulfil(channel), self._public_url)


def _names(channels: OrgChannels, *, but: str = "") -> list[str]:
    return [one.settings.name for one in channels.channels if one.id != but and not one.removing]


def _found(channels: OrgChannels, channel_id: str, org: str) -> Channel:
    found = with_id(channels, channel_id)
    if found is None or found.removing:
        raise UnknownChannelError(channel_id, org=org)
    return found


def _changed(channels: OrgChannels, before: Channel, form: Mapping[str, object]) -> Channel:
    """The channel after the change. New credentials end the alarm that the old ones raised."""
    settings = read_change(
        form, before.settings, access_token=before.access_token, names=_names(channels, but=before.id)
    )
    changes: dict[str, object] = {"settings": settings}
    if (settings.email, settings.password, settings.domain) != (
        before.settings.email,
        before.settings.password,
        before.settings.domain,
    ):
        changes["log_alarm"] = None
    if (settings.bot_api_token, settings.domain) != (before.settings.bot_api_token, before.settings.domain):
        changes["alarm"] = None
    return before.model_copy(update=changes)
