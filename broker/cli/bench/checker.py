"""The checker: what came out against what went in, lane by lane. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

Lane = TypeVar("Lane")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many items broke a promise; all 0 is the only good verdict.

    ``unknown`` came out and never went in. An item counts as ``reordered`` if one that went in later came out before.
    """

    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    unknown: int = 0

    @property
    def faultless(self) -> bool:
        """Whether everything came out once and in order."""
        return self == Verdict()

    def violations(self, what: str) -> list[str]:
        """One sentence for each promise that was broken."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"{what}: {count} {name}" for name, count in found if count]


def check(sent: Mapping[Lane, Sequence[Item]], seen: Iterable[tuple[Lane, Item]]) -> Verdict:
    """Compare.

    Args:
        sent: what went into each lane, in that order, each item once.
        seen: what came out, in the order in which it was stored.
    """
    places = {lane: {item: place for place, item in enumerate(items)} for lane, items in sent.items()}
    counts: dict[tuple[Lane, Item], int] = {}
    highest: dict[Lane, int] = {}
    doubled = reordered = unknown = 0
    for lane, item in seen:
        place = places.get(lane, {}).get(item)
        if place is None:
            unknown += 1
            continue
        counts[lane, item] = counts.get((lane, item), 0) + 1
        if counts[lane, item] > 1:
            doubled += 1
        elif place < highest.get(lane, -1):
            reordered += 1
        highest[lane] = max(place, highest.get(lane, -1))
    lost = sum(len(items) for items in sent.values()) - len(counts)
    return Verdict(lost, doubled, reordered, unknown)
