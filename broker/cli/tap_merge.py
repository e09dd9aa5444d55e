"""Several streams as one ordered view: history by the servers' clock, then live as it comes."""

from __future__ import annotations

import asyncio

from broker.cli.event_line import Seen

WAITING_MAX = 500
"""Messages of one source that wait to be shown; a source that is further ahead waits."""


class Feed:
    """The messages of one source, oldest first."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.dropped = 0
        self._changed = changed
        self._queue: asyncio.Queue[Seen] = asyncio.Queue(WAITING_MAX)
        self._head: Seen | None = None
        self._in_history = True

    async def put(self, seen: Seen) -> None:
        """Add a stored message; waits while too many are ahead."""
        await self._queue.put(seen)
        self._changed.set()

    def offer(self, seen: Seen) -> None:
        """Add what may be lost: it is dropped, and counted, while too many are ahead."""
        try:
            self._queue.put_nowait(seen)
        except asyncio.QueueFull:
            self.dropped += 1
        self._changed.set()

    def end_history(self) -> None:
        """Say that everything stored so far has been put."""
        self._in_history = False
        self._changed.set()

    def head(self) -> Seen | None:
        """The oldest message that was not taken, None if there is none now."""
        if self._head is None and not self._queue.empty():
            self._head = self._queue.get_nowait()
        return self._head

    def take(self) -> None:
        """Drop the head."""
        self._head = None

    @property
    def holds_up(self) -> bool:
        """Whether older messages than the other feeds' may still come from here."""
        return self._in_history and self.head() is None


class Merge:
    """All feeds of one tap."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self._changed = asyncio.Event()
        self._told_end = False

    def feed(self) -> Feed:
        """A new feed among the others."""
        feed = Feed(self._changed)
        self.feeds.append(feed)
        return feed

    async def next(self) -> Seen | None:
        """The oldest message of all; None, once, when all that was stored has been given."""
        while True:
            self._changed.clear()
            if not any(feed.holds_up for feed in self.feeds):
                heads = [(head.at_ms, place) for place, feed in enumerate(self.feeds) if (head := feed.head())]
                if heads:
                    chosen = self.feeds[min(heads)[1]]
                    oldest = chosen.head()
                    chosen.take()
                    return oldest
                if not self._told_end:
                    self._told_end = True
                    return None
            await self._changed.wait()
