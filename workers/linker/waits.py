"""The ends of waits, soonest first: which registrations of one time are to be looked at."""

from __future__ import annotations

import heapq

from broker.domain.ids import OrgId
from broker.domain.registrations import Registration

SPARE_MAX = 1_000
"""So many that are over may lie among those that wait, beside as many as wait: a wait may last a year."""


class Waits:
    """A heap of deadlines. What was replaced or removed meanwhile lies in it for a while, and is not told."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, OrgId, str]] = []
        self._until_ms: dict[tuple[OrgId, str], int] = {}

    @property
    def size(self) -> int:
        """How many deadlines are kept in memory."""
        return len(self._ends)

    def put(self, registration: Registration) -> None:
        """Note the end of its wait, in place of any before, if it has one that nobody has dealt with."""
        self.forget(registration.org, registration.id)
        if registration.until_ms is not None and registration.used_by is None and registration.lapse != "reported":
            self.put_back(registration.until_ms, registration.org, registration.id)

    def put_back(self, until_ms: int, org: OrgId, registration_id: str) -> None:
        """Note an end again; nothing where it was made again in between, and has a new one."""
        if (org, registration_id) in self._until_ms:
            return
        self._until_ms[org, registration_id] = until_ms
        heapq.heappush(self._ends, (until_ms, org, registration_id))
        if len(self._ends) > 2 * len(self._until_ms) + SPARE_MAX:
            self._ends = [(end_ms, *key) for key, end_ms in self._until_ms.items()]
            heapq.heapify(self._ends)

    def forget(self, org: OrgId, registration_id: str) -> None:
        """It waits no longer; one that does not wait is no error."""
        self._until_ms.pop((org, registration_id), None)

    def take(self, now_ms: int) -> tuple[OrgId, str] | None:
        """One whose time has come, None if there is none."""
        while self._ends and self._ends[0][0] <= now_ms:
            until_ms, org, registration_id = heapq.heappop(self._ends)
            if self._until_ms.get((org, registration_id)) == until_ms:
                self.forget(org, registration_id)
                return org, registration_id
        return None
