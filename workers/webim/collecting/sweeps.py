"""How far a channel's changed chats have been read, page by page; compare-and-set, so that one process reads at a time.

Source: specs/webim.md section 3.3, ``chats?since=``.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker import codec
from broker.domain.wire import Wire, dump, validate
from broker.transport.records import Records
from workers.webim.chat.store import TRANSFERRED_KEPT_S

MARGIN_MS = 300_000
"""Webim's clock may be as far behind ours: reading begins so long before the first transfer."""
REFUSED_MS = 3_600_000
"""For so long chats are asked for one by one where Webim will not list them."""


class Sweep(Wire):
    """Value under ``sweep.<channel_id>``. ``last_ts`` is Webim's own; the others are Unix time in milliseconds."""

    last_ts: str = "0"
    next_at_ms: int = 0
    refused_until_ms: int = 0


@dataclass(slots=True)
class Place:
    """Where a channel's reading is, and the revision to name when it goes on."""

    sweep: Sweep
    revision: int


class Sweeps:
    """The sweeps in bucket CHATS_webim."""

    def __init__(self, chats: Records) -> None:
        self._records = chats

    async def read(self, channel_id: str) -> Place:
        """Where the channel's reading is now."""
        found = await self._records.read(_key(channel_id))
        sweep = Sweep() if found.value is None else validate(Sweep, codec.decode(found.value), what="webim sweep")
        return Place(sweep, found.revision)

    async def claim(self, channel_id: str, place: Place, *, since_ms: int, next_at_ms: int) -> None:
        """Read on from here, alone until that moment; ConflictError if somebody else does.

        ``since_ms``: the first transfer that anybody still collects for; what is older is not read again.
        """
        last_ts = later(place.sweep.last_ts, str(max(0, since_ms - MARGIN_MS) * 1_000))
        place.sweep = place.sweep.model_copy(update={"last_ts": last_ts, "next_at_ms": next_at_ms})
        await self._write(channel_id, place)

    async def advance(self, channel_id: str, place: Place, last_ts: str) -> None:
        """What came before ``last_ts`` is read; ConflictError if somebody else goes on from here."""
        place.sweep = place.sweep.model_copy(update={"last_ts": last_ts})
        await self._write(channel_id, place)

    async def refuse(self, channel_id: str, place: Place, *, now_ms: int) -> None:
        """Webim does not list chats to this login."""
        place.sweep = place.sweep.model_copy(update={"refused_until_ms": now_ms + REFUSED_MS})
        await self._write(channel_id, place)

    async def _write(self, channel_id: str, place: Place) -> None:
        body = codec.encode(dump(place.sweep))
        place.revision = await self._records.write(
            _key(channel_id), body, revision=place.revision, ttl_s=TRANSFERRED_KEPT_S
        )


def later(last_ts: str, start: str) -> str:
    """The later of two moments in microseconds; Webim's own word stands where it is no number."""
    if last_ts.isdecimal() and start.isdecimal():
        return max(last_ts, start, key=int)
    return last_ts


def _key(channel_id: str) -> str:
    return f"sweep.{channel_id}"
