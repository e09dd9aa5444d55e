"""Several measurements of one thing: the middle one counts, the outer ones tell how noisy it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of the repetitions."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))

    def record(self) -> dict[str, float]:
        """As JSON has it."""
        return {"median": round(self.median, 3), "min": round(self.least, 3), "max": round(self.greatest, 3)}

    def cells(self, decimals: int = 0) -> tuple[str, str, str]:
        """As a table has it: three cells."""
        return tuple(f"{value:,.{decimals}f}" for value in (self.median, self.least, self.greatest))  # type: ignore[return-value] # three values


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` (0.99 for example) of a sorted sequence does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
