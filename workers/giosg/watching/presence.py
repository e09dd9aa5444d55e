"""Tells giosg that visitors are still there, as long as they are.

Source: specs/giosg.md section 3.4.
"""

from __future__ import annotations

from broker.domain.ids import SessionId
from broker.errors import BackboneError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import Listed, now_ms
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.watching.metrics import PRESENCE

AWAY_AFTER_MS = 1_800_000
"""Whoever was not heard of for so long, and whose channel says nothing of presence, is taken to have gone."""
KNOWN_MAX = 20_000
"""Visitors whose channel has said whether they are there; the oldest word is forgotten."""


class Presence:
    """Hears who comes and goes, and keeps those present who are there.

    A process that was not there when somebody left keeps them present until they were silent for half an hour.
    """

    def __init__(self, apis: Apis) -> None:
        self._apis = apis
        self._told: dict[SessionId, tuple[bool, int]] = {}

    async def look(self, connection: GiosgConnection, _listed: Listed, case: Case | None) -> None:
        """C3 for the visitor of an open case who is there; a failure is counted, never fatal."""
        if case is None or not case.is_open or not self.is_there(case):
            return
        try:
            await self._apis.of(connection.name).as_visitor(case.visitor_key).keep_present()
        except BackboneError:
            PRESENCE.labels("failed").inc()
            raise
        PRESENCE.labels("kept").inc()

    def is_there(self, case: Case) -> bool:
        """What the channel said last, where that is younger than what was heard of the visitor; else by that."""
        is_present, at_ms = self._told.get(SessionId(case.session), (True, 0))
        if not is_present and at_ms >= case.last_at_ms:
            return False
        return now_ms() - max(at_ms, case.last_at_ms) < AWAY_AFTER_MS

    def hear(self, session: SessionId, *, is_present: bool) -> None:
        """A channel says that its visitor came, or left."""
        self._told.pop(session, None)
        while len(self._told) >= KNOWN_MAX:
            del self._told[next(iter(self._told))]
        self._told[session] = (is_present, now_ms())
