"""Keeps an org's channels: one record for all of them, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable

from broker.codec import decode, encode
from broker.domain.wire import dump, validate
from broker.errors import ConflictError
from broker.transport.records import Records
from workers.webim.channel import WEBIM, Channel, OrgChannels

CONFLICTS_MAX = 50
"""Somebody else writing the same org's channels this often within one change is a fault, not a race."""

REMOVED_KEPT_MAX = 100
"""Of an org's removed channels; what somebody left of an older one would have been found long ago."""

Change = Callable[[OrgChannels], OrgChannels]


class ChannelStore:
    """Bucket CHANNELS, read and written as it is now, never from a copy."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def read(self, org: str) -> OrgChannels:
        """All channels of an org, also those that are being removed."""
        return (await self._read(org))[0]

    async def find(self, org: str, channel_id: str) -> Channel | None:
        """One channel, None if there is none, or not any more."""
        found = with_id(await self.read(org), channel_id)
        return None if found is None or found.removing else found

    async def change(self, org: str, change: Change) -> OrgChannels:
        """Apply a pure change to what is there, again and again until nobody else wrote in between; what came of it.

        A change that gives back what it got writes nothing. What it raises ends it.
        """
        for _ in range(CONFLICTS_MAX):
            before, revision = await self._read(org)
            after = change(before)
            if after == before:
                return before
            try:
                await self._records.write(_key(org), encode(dump(after)), revision=revision)
            except ConflictError:
                continue
            return after
        raise ConflictError(f"the channels of org {org}")

    async def _read(self, org: str) -> tuple[OrgChannels, int]:
        found = await self._records.read(_key(org))
        if found.value is None:
            return OrgChannels(), found.revision
        return validate(OrgChannels, decode(found.value), what="channels"), found.revision


def with_id(channels: OrgChannels, channel_id: str) -> Channel | None:
    """The channel of that id, also one that is being removed."""
    return next((channel for channel in channels.channels if channel.id == channel_id), None)


def added(channels: OrgChannels, channel: Channel) -> OrgChannels:
    """One more."""
    return channels.model_copy(update={"channels": [*channels.channels, channel]})


def replaced(channels: OrgChannels, channel: Channel) -> OrgChannels:
    """The channel of the same id as it is now; the order stays."""
    found = [channel if one.id == channel.id else one for one in channels.channels]
    return channels.model_copy(update={"channels": found})


def without(channels: OrgChannels, channel_id: str) -> OrgChannels:
    """One less; a note of it stays for a while."""
    if with_id(channels, channel_id) is None:
        return channels
    left = [one for one in channels.channels if one.id != channel_id]
    return OrgChannels(channels=left, removed=[*channels.removed, channel_id][-REMOVED_KEPT_MAX:])


def _key(org: str) -> str:
    return f"{org}.{WEBIM}"
