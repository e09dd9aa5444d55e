"""In which order dead letters go back onto the bus: no conversation, and no stub, is reordered by it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A dead letter that is to be published again.

    ``letter`` is its own sequence; ``position`` the sequence that its original was first stored under, in its stream.
    Of a run, ``stub`` is the stub's whole address and ``caused_by`` the log sequence of the event behind it, 0 where
    none is named; an event has no stub. ``session`` is None where neither is about a conversation. A
    webhook has neither, and stands at its own position: its order and the events' have nothing to do with each other.
    """

    letter: int
    position: int
    session: str | None = None
    stub: str | None = None
    caused_by: int = 0
    is_webhook: bool = False


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Oldest first: events in the order of the log, the runs of a stub in that of their stream.

    A run stands behind the event that caused it. Where its stub was given a later event's run before it, it stands
    behind that one as well: the order of a stub's runs is the one that its program saw.
    """
    placed: list[tuple[tuple[int, int, int], Candidate]] = []
    latest: dict[str, int] = {}
    for candidate in sorted(candidates, key=lambda one: one.position):
        if candidate.stub is None:
            placed.append(((candidate.position, 0, candidate.position), candidate))
            continue
        latest[candidate.stub] = caused_by = max(candidate.caused_by, latest.get(candidate.stub, 0))
        placed.append(((caused_by, 1, candidate.position), candidate))
    return [candidate for _, candidate in sorted(placed, key=lambda item: item[0])]
