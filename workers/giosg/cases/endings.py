"""How a case's chat ends: the visitor hears of it, and the conversation goes back to whoever had it, or is let go.

Each step may be repeated, by any process: what is said has ids that derive from the session and the chat, and the
record says at last that all of it was done.
"""

from __future__ import annotations

import structlog

from broker.domain.desks import DeskEvent
from broker.domain.ids import SessionId
from workers.giosg.cases.case import Case, EndReason
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.cases.transitions import ended, is_settled, settled, told
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import Visitors, stub_name

SAID: frozenset[EndReason] = frozenset(("ended_by_giosg", "ended_by_visitor", "removed"))
"""Of other ends the conversation itself shows nothing: somebody else has it."""
GOING_BACK = "back:"
"""Before a chat's id in ``told``: the link goes back to whoever handed over."""

log = structlog.get_logger()


class Endings:
    """Ends cases; every call raises what the bus raises, and is then to be repeated as it was."""

    def __init__(
        self, cases: CaseStore, visitors: Visitors, links: Links, connections: Connections, languages: Languages
    ) -> None:
        self._cases = cases
        self._visitors = visitors
        self._links = links
        self._connections = connections
        self._languages = languages

    async def end(self, case: Case, reason: EndReason) -> Case:
        """The case as it is then. An end that is known already stays what it was, and is finished if it was not.

        The record is first: what follows from a link that is given away finds a chat that has ended.
        """
        if case.chat is None:
            return case
        chat_id, session = case.chat.id, SessionId(case.session)
        after = await self._cases.change(session, lambda found: _ended(found, chat_id, reason))
        if after is None or after.chat is None or after.chat.id != chat_id or is_settled(after):
            return case if after is None else after
        assert after.end_reason is not None  # noqa: S101 - _ended() has set it
        event = DeskEvent(type="session.ended", desk=stub_name(after.connection), reason=after.end_reason)
        connection = self._connections.get(after.connection)
        text = None
        if connection is not None and after.end_reason in SAID:
            text = (await self._languages.of(connection)).ended
        await self._visitors.tell(after, event, event_id=f"ended-{chat_id}", text=text)
        await self._let_go(after, connection, event)
        done = await self._cases.change(session, lambda found: settled(found, chat_id))
        log.info("chat_ended", session_id=session[:8], connection=after.connection, reason=after.end_reason)
        return after if done is None else done

    async def _let_go(self, case: Case, connection: GiosgConnection | None, event: DeskEvent) -> None:
        """The link, if it is still the desk's: back to who handed over, who hears why, or ended.

        That it goes back is noted before: afterwards nothing else would tell that its giver has yet to hear of it.
        """
        if case.chat is None:
            return
        chat_id, going_back = case.chat.id, f"{GOING_BACK}{case.chat.id}"
        if await self._links.is_ours(case, now_ms=now_ms()):
            if case.giver is None or connection is None or connection.give_back == "nobody":
                await self._links.release(case, event_id=f"released-{chat_id}")
                return
            await self._cases.change(SessionId(case.session), lambda found: told(found, going_back))
            hours = connection.link_hours if case.giver_hours is None else case.giver_hours
            await self._links.give_back(case, hours=hours, event_id=f"back-{chat_id}")
        elif case.giver is None or going_back not in case.told:
            return
        await self._links.tell_giver(case, event, event_id=f"over-{chat_id}")


def _ended(case: Case, chat_id: str, reason: EndReason) -> Case | None:
    return ended(case, reason, now_ms()) if case.chat is not None and case.chat.id == chat_id else None
