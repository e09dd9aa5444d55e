"""One thing that was looked at, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]
"""``warning``: it will do, though not just now; ``skipped``: something before it failed."""


@dataclass(frozen=True, slots=True)
class Check:
    """``found``: what is so; ``mend``: what to do where that is not as it should be. Neither holds a secret."""

    name: str
    state: State
    found: str
    mend: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether the connection cannot work like that."""
        return self.state == "failed"


def ok(name: str, found: str) -> Check:
    """It is as it should be."""
    return Check(name, "ok", found)


def failed(name: str, found: str, mend: str) -> Check:
    """It is not as it should be."""
    return Check(name, "failed", found, mend)


def skipped(*names: str) -> list[Check]:
    """What cannot be looked at, since something before it failed."""
    return [Check(name, "skipped", "not looked at: mend the above first") for name in names]
