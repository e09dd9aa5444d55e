"""The ends of waits, soonest first: which registrations of one time are to be looked at."""

from __future__ import annotations

import heapq

from broker.domain.ids import OrgId
from broker.domain.registrations import Registration


class Waits:
    """A heap of deadlines. What was replaced or removed meanwhile stays in it until its time: who takes it looks."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, OrgId, str]] = []

    def put(self, registration: Registration) -> None:
        """Note the end of its wait, if it has one that nobody has dealt with."""
        if registration.until_ms is not None and registration.used_by is None and registration.lapse != "reported":
            self.put_back(registration.until_ms, registration.org, registration.id)

    def put_back(self, until_ms: int, org: OrgId, registration_id: str) -> None:
        """Note an end again."""
        heapq.heappush(self._ends, (until_ms, org, registration_id))

    def take(self, now_ms: int) -> tuple[OrgId, str] | None:
        """One whose time has come, None if there is none."""
        if not self._ends or self._ends[0][0] > now_ms:
            return None
        _, org, registration_id = heapq.heappop(self._ends)
        return org, registration_id
