"""How late things were, as three figures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of so many: half were at most ``p50_ms`` late, 99 of 100 at most ``p99_ms``, all of them at most ``max_ms``."""

    count: int
    p50_ms: int
    p99_ms: int
    max_ms: int


def lateness_of(late_ms: Sequence[int]) -> Lateness | None:
    """The figures, None of nothing; a percentile is a value that occurred, the nearest at or above the rank."""
    if not late_ms:
        return None
    ordered = sorted(late_ms)
    return Lateness(len(ordered), _percentile(ordered, 50), _percentile(ordered, 99), ordered[-1])


def _percentile(ordered: list[int], percent: int) -> int:
    return ordered[-(-len(ordered) * percent // 100) - 1]
