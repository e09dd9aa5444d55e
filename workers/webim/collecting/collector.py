"""Collects operators' dialogs: looks at each in its interval, by itself or, where there are many, in pages.

Any number of processes share the work by compare-and-set on each note; what one leaves undone, another takes up.
Source: specs/webim.md section 3.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping

import structlog

from broker.errors import BackboneError, ChannelAuthFailedError, ChannelRejectedError, ConflictError
from broker.runtime.loop import where
from broker.transport.connection import Connection
from broker.transport.tables import Table
from workers.webim.channel import Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import MS_PER_S, transfer_key
from workers.webim.chat.transfer_notes import NOTES_PATTERN, TransferNote, TransferNotes, read_note
from workers.webim.collecting.looking import AUTH_FAILED, POLLS, Looking
from workers.webim.collecting.stored_data import Page, StoredData
from workers.webim.collecting.sweeps import Place, Sweeps

TICK_S = 1.0
UNKNOWN_INTERVAL_S = 60
STOP_WAIT_S = 2.0
CHANNELS_AT_ONCE_MAX = 16
"""Each is worked on by one task: a slow Webim holds up its own channel only."""
SWEEP_FROM = 4
"""Chats with operators on one channel from which on pages of changed chats are cheaper than a call for each."""
SURE_EVERY = 5
"""Intervals between looks at a single dialog where changed chats are read: what ``since`` leaves out is unknown."""
PAGES_MAX = 50
"""Read in one go; the rest is read in the next interval."""

ChannelKey = tuple[str, str]

log = structlog.get_logger()


class Collector:
    """Runs until it is told to stop."""

    def __init__(
        self,
        connection: Connection,
        channels: Channels,
        notes: TransferNotes,
        looking: Looking,
        stored_data: StoredData,
    ) -> None:
        self._channels = channels
        self._looking = looking
        self._stored_data = stored_data
        self._table = Table(connection, notes.records, on_change=self._note_changed, pattern=NOTES_PATTERN)
        self._sweeps = Sweeps(notes.records)
        self._notes: dict[str, TransferNote] = {}
        self._sweep_at_ms: dict[ChannelKey, int] = {}
        self._swept: set[ChannelKey] = set()
        self._woken = asyncio.Event()
        self._tasks: dict[ChannelKey, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until ``stop`` is set; what is being looked at then has some seconds to end."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._woken.set())
        try:
            async with self._table:
                while not stop.is_set():
                    self._begin_work()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TICK_S):
                            await self._woken.wait()
                    self._woken.clear()
                await self._end_work()
        finally:
            stopping.cancel()

    async def _end_work(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=STOP_WAIT_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _note_changed(self, key: str, value: bytes | None) -> None:
        self._notes.pop(key, None)
        if value is not None:
            try:
                self._notes[key] = read_note(value)
            except BackboneError as error:
                log.error("note_refused", key=key, error_code=error.code)
        self._woken.set()

    def _begin_work(self) -> None:
        now_ms = _now_ms()
        due = {_channel_key(note) for note in self._notes.values() if note.next_poll_at_ms <= now_ms}
        counts = Counter(map(_channel_key, self._notes.values()))
        due |= {key for key, count in counts.items() if count >= SWEEP_FROM and self._sweep_at_ms.get(key, 0) <= now_ms}
        for key in due - self._tasks.keys():
            if len(self._tasks) >= CHANNELS_AT_ONCE_MAX:
                return
            self._tasks[key] = asyncio.create_task(self._work(key))

    async def _work(self, key: ChannelKey) -> None:
        try:
            await self._look(key)
        except ChannelAuthFailedError:
            pass  # told already, and nothing more is asked until the login is another
        except BackboneError as error:
            log.warning("dialogs_deferred", channel_id=key[1], error_code=error.code, error=str(error))
            await asyncio.sleep(TICK_S)  # the claim lasts longer, but not everything that fails is behind one
        except Exception as error:  # noqa: BLE001 - what Webim may answer has no bounds, and others must go on
            log.error("dialogs_deferred", channel_id=key[1], error_type=type(error).__name__, where=where(error))
            await asyncio.sleep(TICK_S)
        finally:
            del self._tasks[key]

    async def _look(self, key: ChannelKey) -> None:
        channel = next((each for each in self._channels.of_org(key[0]) if each.id == key[1]), None)
        notes = {each: note for each, note in self._notes.items() if _channel_key(note) == key}
        interval_s = UNKNOWN_INTERVAL_S if channel is None else channel.settings.log_poll_interval_s
        if len(notes) >= SWEEP_FROM and self._sweep_at_ms.get(key, 0) <= _now_ms():
            self._sweep_at_ms[key] = _now_ms() + interval_s * MS_PER_S
            self._swept.discard(key)
            if channel is not None and channel.collects and await self._sweep(channel, notes.values()):
                self._swept.add(key)
        elif len(notes) < SWEEP_FROM:
            self._swept.discard(key)
        wait_s = interval_s * SURE_EVERY if key in self._swept else interval_s
        for each in notes:
            entry, note = self._table.get(each), self._notes.get(each)
            if entry is not None and note is not None and note.next_poll_at_ms <= _now_ms():
                await self._looking.poll(channel, note, entry.revision, wait_s=wait_s)

    async def _sweep(self, channel: Channel, notes: Iterable[TransferNote]) -> bool:
        """Read the chats that changed since the last time, in pages, here or elsewhere; False: Webim will not."""
        now_ms = _now_ms()
        place = await self._sweeps.read(channel.id)
        if now_ms < place.sweep.refused_until_ms:
            return False
        if now_ms < place.sweep.next_at_ms:
            return True
        try:
            next_at_ms = now_ms + channel.settings.log_poll_interval_s * MS_PER_S
            since_ms = min(note.since_ms for note in notes)
            await self._sweeps.claim(channel.id, place, since_ms=since_ms, next_at_ms=next_at_ms)
            await self._read_pages(channel, place)
        except ChannelAuthFailedError:
            POLLS.labels(AUTH_FAILED).inc()
            await self._channels.set_log_alarm(channel, AUTH_FAILED)
            raise
        except ChannelRejectedError as error:
            log.warning("chats_not_listed", channel_id=channel.id, error_code=error.code, error=str(error))
            await self._sweeps.refuse(channel.id, place, now_ms=_now_ms())
            return False
        except ConflictError:
            log.debug("chats_read_elsewhere", channel_id=channel.id)
        return True

    async def _read_pages(self, channel: Channel, place: Place) -> None:
        for _ in range(PAGES_MAX):
            before, known = place.sweep.last_ts, self._known()
            page = await self._stored_data.chats(channel, before)
            await self._take_page(channel, page, known)
            await self._sweeps.advance(channel.id, place, page.last_ts)
            if not page.more or page.last_ts == before:
                return

    def _known(self) -> dict[str, tuple[TransferNote, int]]:
        """The notes as they are now, each with its revision."""
        found = {key: (note, self._table.get(key)) for key, note in self._notes.items()}
        return {key: (note, entry.revision) for key, (note, entry) in found.items() if entry is not None}

    async def _take_page(self, channel: Channel, page: Page, known: Mapping[str, tuple[TransferNote, int]]) -> None:
        """``known`` from before the page was asked for: an end told since then says nothing of what the page holds."""
        for dialog in page.dialogs:
            note, revision = known.get(transfer_key(channel.id, dialog.chat_id), (None, 0))
            if note is not None and await self._looking.has_chat(note):
                await self._looking.take(channel, note, revision, dialog)


def _channel_key(note: TransferNote) -> ChannelKey:
    return note.chat.org, note.chat.channel_id


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
