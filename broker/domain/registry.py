"""All registrations, and which of them take an event: who hears of it, who owns it, whose turn it is.

Source: specs/stubber-webchat.md section 2.6 (mechanisms) and 9.2 (16 to 21).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import TypeAlias

from broker.domain.ids import OrgId
from broker.domain.matching import Key, PatternIndex
from broker.domain.registrations import Mechanism, Registration, Wish

SHARED: frozenset[Mechanism] = frozenset(("*", "evt", "evb"))
"""All of them run; of each of the others one runs."""

Turn: TypeAlias = Callable[[tuple[str, ...]], int]
"""Given the ids of who could take it by turns: a number that goes up by one from event to event."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What of an event decides who takes it, its subject aside; ``emitted`` ``*``: under all mechanisms."""

    sequence: int
    at_ms: int
    emitted: Mechanism = "*"


@dataclass(frozen=True, slots=True)
class Taker:
    """A registration that takes an event, under one of its event names and one mechanism."""

    registration: Registration
    event: str
    mechanism: Mechanism
    run_s: float | None = None

    @property
    def run_key(self) -> str:
        """What tells this run from the others of its event.

        Where one is chosen of several, who was chosen is no part of it: the choice may be made again after a crash, and
        turn out otherwise, but of two runs with the same id the stream keeps one.
        """
        return self.registration.id if self.mechanism in SHARED else self.mechanism


class Registry:
    """All registrations by org, in the order they were made."""

    def __init__(self) -> None:
        self._by_org: dict[OrgId, _Shelf] = {}

    def put(self, registration: Registration) -> None:
        """Add, or replace the one with the same id."""
        self._by_org.setdefault(registration.org, _Shelf()).put(registration)

    def remove(self, org: OrgId, registration_id: str) -> None:
        """Forget it; one that is not there is no error."""
        if (shelf := self._by_org.get(org)) is not None:
            shelf.remove(registration_id)

    def get(self, org: OrgId, registration_id: str) -> Registration | None:
        """The registration, live or not, None if there is none."""
        shelf = self._by_org.get(org)
        return None if shelf is None else shelf.registrations.get(registration_id)

    def count(self, org: OrgId) -> int:
        """How many of the org's registrations are live."""
        return len(shelf.live) if (shelf := self._by_org.get(org)) is not None else 0

    def of_org(self, org: OrgId) -> tuple[Registration, ...]:
        """The org's registrations, oldest first, without those that are used up or have lapsed."""
        if (shelf := self._by_org.get(org)) is None:
            return ()
        live = (shelf.registrations[found] for found in shelf.live)
        return tuple(sorted(live, key=lambda found: (found.since, found.id)))

    def takers(self, org: OrgId, subject: str, occasion: Occasion, turn: Turn) -> tuple[Taker, ...]:
        """Who takes an event: each registration at most once, however many of its forms match, oldest first.

        Every ``evt`` and ``evb``; of the ``cbh`` the one that registered first, of the ``rra`` the one whose turn it
        is, of the ``rnd`` any one, always the same for the same event.
        """
        if (shelf := self._by_org.get(org)) is None:
            return ()
        tokens = tuple(subject.split("."))
        found = [
            Taker(registration, wish.event, _effective(wish.mechanism, occasion.emitted), wish.run_s)
            for registration, wish in shelf.index.match(tokens)
            if _takes(registration, wish, occasion)
        ]
        if (owner := shelf.owner(tokens, occasion)) is not None:
            found.append(owner)
            found.sort(key=_place)
        chosen: dict[str, Taker] = {}
        picked = _picked(found, occasion, turn)
        for taker in found:
            if taker.mechanism in SHARED or taker is picked[taker.mechanism]:
                chosen.setdefault(taker.registration.id, taker)
        return tuple(chosen.values())

    def shadowing(self, registration: Registration) -> Registration | None:
        """The oldest ``cbh`` registration that takes events before this one's ``cbh`` does, None if there is none.

        Wildcards count: it is enough that some event would match both.
        """
        if (shelf := self._by_org.get(registration.org)) is None:
            return None
        place = (registration.since, registration.id)
        forms = chain.from_iterable(wish.forms for wish in registration.wishes if wish.mechanism == "cbh")
        oldest = (
            next((other for other, _ in shelf.owners.overlapping(form) if other.live and other.id != place[1]), None)
            for form in forms
        )
        older = (other for other in oldest if other is not None and (other.since, other.id) < place)
        return min(older, key=lambda other: (other.since, other.id), default=None)


class _Shelf:
    """One org's registrations; wishes for ``cbh`` have an index of their own, since only the first of them counts."""

    def __init__(self) -> None:
        self.registrations: dict[str, Registration] = {}
        self.live: set[str] = set()
        self.used: dict[int, set[str]] = {}
        self.index: PatternIndex[tuple[Registration, Wish]] = PatternIndex()
        self.owners: PatternIndex[tuple[Registration, Wish]] = PatternIndex()

    def put(self, registration: Registration) -> None:
        self.remove(registration.id)
        self.registrations[registration.id] = registration
        if registration.live:
            self.live.add(registration.id)
        if registration.used_by is not None:
            self.used.setdefault(registration.used_by, set()).add(registration.id)
        for key, wish in _keyed(registration):
            for form in wish.forms:
                self._index_of(wish).put(form, key, (registration, wish))

    def remove(self, registration_id: str) -> None:
        self.live.discard(registration_id)
        if (before := self.registrations.pop(registration_id, None)) is None:
            return
        if before.used_by is not None:
            self.used[before.used_by].discard(registration_id)
            if not self.used[before.used_by]:
                del self.used[before.used_by]
        for key, wish in _keyed(before):
            for form in wish.forms:
                self._index_of(wish).remove(form, key)

    def owner(self, tokens: tuple[str, ...], occasion: Occasion) -> Taker | None:
        """Of the wishes for ``cbh`` the one that this very event has used up, else the oldest that takes it."""
        if occasion.emitted not in ("*", "cbh"):
            return None
        if occasion.sequence in self.used:
            used = [self.registrations[found] for found in self.used[occasion.sequence]]
            wishes = [(one, wish) for one in used for _, wish in _keyed(one) if wish.mechanism == "cbh"]
            wishes = [(one, wish) for one, wish in wishes if any(form.matches(tokens) for form in wish.forms)]
        else:
            wishes = []
        for registration, wish in chain(wishes, self.owners.match(tokens)):
            if _takes(registration, wish, occasion):
                return Taker(registration, wish.event, "cbh", wish.run_s)
        return None

    def _index_of(self, wish: Wish) -> PatternIndex[tuple[Registration, Wish]]:
        return self.owners if wish.mechanism == "cbh" else self.index


def _place(taker: Taker) -> tuple[int, str]:
    return taker.registration.since, taker.registration.id


def _keyed(registration: Registration) -> list[tuple[Key, Wish]]:
    return [((registration.since, registration.id, place), wish) for place, wish in enumerate(registration.wishes)]


def _takes(registration: Registration, wish: Wish, occasion: Occasion) -> bool:
    """Whether a wish whose path matches takes the event: not used up, not lapsed, and of the right mechanism."""
    return (
        registration.used_by in (None, occasion.sequence)
        and (wish.until_ms is None or occasion.at_ms < wish.until_ms)
        and (occasion.emitted == "*" or wish.mechanism in ("*", occasion.emitted))
    )


def _effective(registered: Mechanism, emitted: Mechanism) -> Mechanism:
    """A wish under ``*`` is of the mechanism that the event is emitted under; where that is all, everybody hears."""
    if registered != "*":
        return registered
    return "evt" if emitted == "*" else emitted


def _picked(found: Sequence[Taker], occasion: Occasion, turn: Turn) -> dict[Mechanism, Taker]:
    """The one that is chosen, for each mechanism that chooses one."""
    groups: dict[Mechanism, dict[str, Taker]] = {}
    for taker in found:
        if taker.mechanism not in SHARED:
            groups.setdefault(taker.mechanism, {}).setdefault(taker.registration.id, taker)
    return {mechanism: _pick(mechanism, group, occasion, turn) for mechanism, group in groups.items()}


def _pick(mechanism: Mechanism, group: dict[str, Taker], occasion: Occasion, turn: Turn) -> Taker:
    candidates = tuple(group.values())
    for taker in candidates:
        if taker.registration.used_by == occasion.sequence:
            return taker  # it was chosen for this very event before, and is used up
    if mechanism == "rra":
        return candidates[turn(tuple(group)) % len(candidates)]
    if mechanism == "rnd":
        return candidates[_drawn(occasion.sequence) % len(candidates)]
    return candidates[0]


def _drawn(sequence: int) -> int:
    """As good as random from event to event, and the same when the event is seen again."""
    return int.from_bytes(blake2b(sequence.to_bytes(8, "big"), digest_size=8).digest(), "big")
