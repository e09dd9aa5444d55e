"""Whose turn it is among registrations that take turns."""

from __future__ import annotations

from collections import OrderedDict

SETS_REMEMBERED_MAX = 10_000
EVENTS_REMEMBERED_MAX = 10_000
"""Events that may be decided again while this process lives: far more than it has in hand at once."""


class Turns:
    """A count for each set of candidates; each linker has its own, so turns are taken per linker."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._given: OrderedDict[tuple[int, tuple[str, ...]], int] = OrderedDict()

    def take(self, candidates: tuple[str, ...], *, sequence: int) -> int:
        """The number of this turn; an event that is decided again has the turn that it had."""
        event = (sequence, candidates)
        if (given := self._given.get(event)) is not None:
            return given
        count = self._counts.pop(candidates, 0)
        self._counts[candidates] = count + 1
        self._given[event] = count
        _bound(self._counts, SETS_REMEMBERED_MAX)
        _bound(self._given, EVENTS_REMEMBERED_MAX)
        return count


def _bound(
    remembered: OrderedDict[tuple[str, ...], int] | OrderedDict[tuple[int, tuple[str, ...]], int], most: int
) -> None:
    if len(remembered) > most:
        remembered.popitem(last=False)
