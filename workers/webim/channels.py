"""The channels that this process serves, and how far their deployments have got: live copies of two buckets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import structlog

from broker.codec import decode
from broker.domain.deployments import DEPLOYMENT, Deployment, Standing, standing_of
from broker.domain.subjects import ChatPath
from broker.domain.wire import Body, validate
from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table
from workers.webim.administration.store import ChannelStore, replaced, with_id
from workers.webim.channel import Channel, OrgChannels

log = structlog.get_logger()


class Channels:
    """Look-ups without a round trip; a change is seen some milliseconds after it was made."""

    def __init__(self, connection: Connection, *, channels: Records, programs: Records) -> None:
        self._store = ChannelStore(channels)
        self.stored = Table(connection, channels, on_change=self._channels_changed, pattern="*.webim")
        self.deployments = Table(connection, programs, on_change=self._deployment_changed, pattern=f"*.{DEPLOYMENT}.>")
        self._of_org: dict[str, tuple[Channel, ...]] = {}
        self._removing: dict[str, tuple[Channel, ...]] = {}
        self._removed: dict[str, tuple[str, ...]] = {}
        self._by_token: dict[str, Channel] = {}
        self._by_path: dict[ChatPath, Channel] = {}
        self._deployed: dict[str, dict[str, Deployment]] = {}
        self.changed = asyncio.Event()
        """Set whenever anything changed; whoever waits for it clears it."""

    async def __aenter__(self) -> Self:
        await self.stored.start()
        await self.deployments.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stored.stop()
        await self.deployments.stop()

    def by_token(self, token: str) -> Channel | None:
        """The channel whose endpoint that is; found by a hash, so that the time taken tells nothing of the token."""
        found = self._by_token.get(_digest(token))
        return found if found is not None and hmac.compare_digest(found.access_token.encode(), token.encode()) else None

    def by_path(self, path: ChatPath) -> Channel | None:
        """The channel whose conversations live there."""
        return self._by_path.get(path)

    def of_org(self, org: str) -> tuple[Channel, ...]:
        """An org's channels, oldest first."""
        return self._of_org.get(org, ())

    def standing(self, channel: Channel) -> Standing:
        """Which version answers the channel's new sessions, and what was asked for last."""
        return standing_of(self._deployed.get(channel.id, {}).values())

    def everything(self) -> tuple[Channel, ...]:
        """Every channel of every org."""
        return tuple(self._by_path.values())

    def removing(self) -> tuple[Channel, ...]:
        """Those whose removal was begun and is not over."""
        return tuple(channel for channels in self._removing.values() for channel in channels)

    def removed(self) -> Iterator[tuple[str, str]]:
        """Org and id of channels that are gone, some of which may have left a deployment behind."""
        return ((org, channel_id) for org, ids in self._removed.items() for channel_id in ids)

    def has_deployments(self, channel_id: str) -> bool:
        """Whether any deployment of that channel is kept."""
        return bool(self._deployed.get(channel_id))

    async def set_alarm(self, channel: Channel, code: str | None) -> None:
        """Raise an alarm that an administrator sees (``webim_auth_failed``), or clear it; told once, not each time."""
        if (now := self.by_path(channel.path)) is not None and now.alarm != code:
            await self._update(channel, {"alarm": code})

    async def set_log_alarm(self, channel: Channel, code: str | None) -> None:
        """The same of the admin login: while it is set, no dialogs are collected."""
        if (now := self.by_path(channel.path)) is not None and now.log_alarm != code:
            await self._update(channel, {"log_alarm": code})

    async def _update(self, channel: Channel, changes: Body) -> None:
        """What the alarm is about may have been mended meanwhile: it belongs to the settings that it was met with."""

        def change(channels: OrgChannels) -> OrgChannels:
            found = with_id(channels, channel.id)
            if found is None or found.settings != channel.settings:
                return channels
            return replaced(channels, found.model_copy(update=changes))

        await self._store.change(channel.org, change)
        log.warning("channel_alarm_changed", channel_id=channel.id, **changes)

    def _channels_changed(self, key: str, value: bytes | None) -> None:
        org = key.partition(".")[0]
        try:
            found = OrgChannels() if value is None else validate(OrgChannels, decode(value), what="channels")
        except BackboneError as error:
            log.error("channels_refused", org=org, error_code=error.code)
            return
        self._of_org[org] = tuple(channel for channel in found.channels if not channel.removing)
        self._removing[org] = tuple(channel for channel in found.channels if channel.removing)
        self._removed[org] = tuple(found.removed)
        everything = [channel for channels in self._of_org.values() for channel in channels]
        self._by_token = {_digest(channel.access_token): channel for channel in everything}
        self._by_path = {channel.path: channel for channel in everything}
        self.changed.set()

    def _deployment_changed(self, key: str, value: bytes | None) -> None:
        _, _, channel_id, deployment_id = key.split(".")
        of_channel = self._deployed.setdefault(channel_id, {})
        try:
            if value is None:
                of_channel.pop(deployment_id, None)
            else:
                found = validate(Deployment, decode(value), what="deployment")
                of_channel[deployment_id] = found.model_copy(update={"log": ""})  # long, and nobody reads it here
        except BackboneError as error:
            log.error("deployment_refused", channel_id=channel_id, error_code=error.code)
        self.changed.set()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
