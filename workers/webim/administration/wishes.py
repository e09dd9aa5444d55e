"""Makes what a channel's settings imply true in bucket PROGRAMS: its first deployment, later ones, and its Follow.

The settings are the wish; all of this derives from them, with ids that derive from what was there. So whoever finds a
channel half done (a process was killed between two writes) does the rest, and many at once do no harm.
"""

from __future__ import annotations

import contextlib
import time

import structlog

from broker.codec import decode, encode
from broker.domain.deployments import (
    DEPLOYMENT,
    Deployment,
    Follow,
    Standing,
    deployment_key,
    follow_key,
    next_deployment_id,
    standing_of,
)
from broker.domain.wire import dump, validate
from broker.errors import BackboneError, ConflictError, DeploymentInProgressError, UnknownChannelError
from broker.transport.records import Entry, Records
from workers.webim.administration.store import CONFLICTS_MAX, ChannelStore
from workers.webim.channel import Channel

NS_PER_MS = 1_000_000

log = structlog.get_logger()


class ChannelWishes:
    """Deployments and Follows of channels; reads are of the bucket as it is now."""

    def __init__(self, store: ChannelStore, programs: Records) -> None:
        self._store = store
        self._programs = programs

    async def deployments(self, channel: Channel) -> list[Deployment]:
        """All deployments of a channel that are kept, in any order."""
        return _read(await self._programs.entries(f"{channel.org}.{DEPLOYMENT}.{channel.id}"))

    async def standing(self, channel: Channel) -> Standing:
        """Where a channel's deployments have got to."""
        return standing_of(await self.deployments(channel))

    async def standings(self, org: str) -> dict[str, Standing]:
        """The same of all of an org's channels that have any deployment, by the channel's id."""
        by_channel: dict[str, list[Deployment]] = {}
        for deployment in _read(await self._programs.entries(f"{org}.{DEPLOYMENT}")):
            by_channel.setdefault(deployment.channel_id, []).append(deployment)
        return {channel_id: standing_of(found) for channel_id, found in by_channel.items()}

    async def fulfil(self, channel: Channel) -> Standing:
        """See that the Follow is what the settings say, and that a deployment is asked for where one is due."""
        for _ in range(CONFLICTS_MAX):
            with contextlib.suppress(ConflictError):  # somebody else does the same, or knows newer settings
                if is_due(channel, standing := await self.standing(channel)):
                    await self._ask(channel, standing)
                await self._fulfil_follow(channel)  # after it: whoever follows would ask for the same once more
            # Whoever changes or removes it writes its record first, then does as we do: one of us sees the other.
            now = await self._store.find(channel.org, channel.id)
            if now is None:
                await self.forget(channel.org, channel.id)
                raise UnknownChannelError(channel.id, org=channel.org)
            standing = await self.standing(now)
            if now.settings == channel.settings and not is_due(now, standing):
                return standing
            channel = now
        raise ConflictError(f"the deployments of channel {channel.id}")

    async def deploy(self, channel: Channel) -> str:
        """Ask for a deployment of what the settings say now; its id.

        Raises:
            DeploymentInProgressError: one is open already.
        """
        standing = await self.standing(channel)
        if standing.is_open and standing.newest is not None:
            raise DeploymentInProgressError(channel.id, deployment_id=standing.newest.id)
        try:
            return await self._ask(channel, standing)
        except ConflictError as error:
            raise DeploymentInProgressError(channel.id, deployment_id=next_id(channel, standing)) from error

    async def forget(self, org: str, channel_id: str) -> None:
        """Remove all that belongs to a channel that is gone."""
        await self._programs.delete(follow_key(org, channel_id))
        for entry in await self._programs.entries(f"{org}.{DEPLOYMENT}.{channel_id}"):
            await self._programs.delete(entry.key)

    async def _fulfil_follow(self, channel: Channel) -> None:
        key = follow_key(channel.org, channel.id)
        found = await self._programs.read(key)
        if channel.settings.deployment == "manual":
            if found.value is not None:
                await self._programs.delete(key, revision=found.revision)
            return
        follow = Follow(org=channel.org, channel_id=channel.id, ref=channel.settings.branch)
        if found.value is None or decode(found.value) != dump(follow):
            await self._programs.write(key, encode(dump(follow)), revision=found.revision)

    async def _ask(self, channel: Channel, standing: Standing) -> str:
        """Raise ConflictError if somebody else asked in the same instant."""
        now_ms = time.time_ns() // NS_PER_MS
        deployment = Deployment(
            id=next_id(channel, standing),
            org=channel.org,
            channel_id=channel.id,
            ref=channel.settings.branch,
            asked_at_ms=now_ms if standing.newest is None else max(now_ms, standing.newest.asked_at_ms + 1),
        )
        key = deployment_key(channel.org, channel.id, deployment.id)
        found = await self._programs.read(key)
        if found.value is not None:
            raise ConflictError(key)
        await self._programs.write(key, encode(dump(deployment)), revision=found.revision)
        log.info("deployment_asked", channel_id=channel.id, deployment_id=deployment.id)
        return deployment.id


def is_due(channel: Channel, standing: Standing) -> bool:
    """Whether the settings alone ask for a deployment: the first one always, later ones where it is automatic."""
    if standing.newest is None:
        return True
    return channel.settings.deployment == "automatic" and standing.newest.ref != channel.settings.branch


def next_id(channel: Channel, standing: Standing) -> str:
    """The id of the deployment after the newest: the same for all who ask at once, so that one is made."""
    return next_deployment_id(channel.id, standing.newest)


def _read(entries: list[Entry]) -> list[Deployment]:
    found: list[Deployment] = []
    for entry in entries:
        try:
            found.append(validate(Deployment, decode(entry.value), what="deployment"))
        except BackboneError as error:
            log.error("deployment_refused", key=entry.key, error_code=error.code)
    return found
