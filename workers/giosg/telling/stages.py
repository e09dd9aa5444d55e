"""Changes a case and, where its stage changes by that, tells the conversation: once, whoever notices it first."""

from __future__ import annotations

from broker.domain.desks import DeskEvent, DeskEventType
from broker.domain.ids import SessionId
from workers.giosg.cases.case import Case, Stage
from workers.giosg.cases.store import CaseStore, Change
from workers.giosg.telling.visitor import Visitors, stub_name

EVENTS: dict[Stage, DeskEventType] = {
    "open_silent": "session.opened",
    "waiting": "session.waiting",
    "active": "session.active",
}
"""Other stages have words of their own: who left, that it ended, that it is held."""


class Stages:
    """The event is told before the case is saved, with an id of the chat and of its how manieth change of stage.

    The stage is in it as well: two processes may see different ones next.
    """

    def __init__(self, cases: CaseStore, visitors: Visitors) -> None:
        self._cases = cases
        self._visitors = visitors

    async def change(self, session: SessionId, change: Change) -> Case | None:
        """As CaseStore.change(), and the visitor's side hears of a new stage; None if there is no case.

        Raises:
            BackboneError: as the store and the publisher; then it is to be done again.
        """
        before = (await self._cases.load(session)).case
        if before is None:
            return None
        after = change(before)
        if after is not None and after.chat is not None and _is_news(before, after):
            event = DeskEvent(type=EVENTS[after.stage], desk=stub_name(after.connection), id=after.chat.id[:128])
            event_id = f"stage-{after.chat.id}-{after.chat.turns}-{after.stage}"
            await self._visitors.tell(after, event, event_id=event_id)
        return await self._cases.change(session, change)


def _is_news(before: Case, after: Case) -> bool:
    is_other_chat = before.chat is None or after.chat is None or before.chat.id != after.chat.id
    return after.stage in EVENTS and (is_other_chat or before.stage != after.stage)
