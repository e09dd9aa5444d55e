"""What follows when nothing happens: a visitor who waits for long is told so, a chat that nobody writes in is ended.

Source: specs/giosg.md sections 5 and 7.2.
"""

from __future__ import annotations

import structlog

from broker.domain.desks import DeskEvent
from broker.domain.ids import SessionId
from broker.errors import ChannelRejectedError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case, Chat
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.store import CaseStore, Listed, now_ms
from workers.giosg.cases.transitions import closing, told
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.visitor import Visitors, stub_name

SILENT_MS = 600_000
"""A chat that its visitor never wrote in is seen by no agent, and is ended after so long."""

log = structlog.get_logger()


class Silence:
    """Looks at open cases for what is overdue; each notice is given once, whoever gives it."""

    def __init__(
        self, apis: Apis, store: CaseStore, visitors: Visitors, languages: Languages, endings: Endings
    ) -> None:
        self._apis = apis
        self._store = store
        self._visitors = visitors
        self._languages = languages
        self._endings = endings

    async def look(self, connection: GiosgConnection, _listed: Listed, case: Case | None) -> None:
        """Do for one case what its silence asks for.

        Raises:
            BackboneError: giosg or the bus does not do it now.
        """
        if case is None or case.chat is None or case.connection != connection.name:
            return
        if case.stage == "open_silent" and now_ms() - case.chat.opened_at_ms > SILENT_MS:
            await self._end(case, case.chat)
        elif waits_long(case, connection.waiting_notice_seconds, now_ms=now_ms()):
            await self._tell(connection, case, case.chat)

    async def _tell(self, connection: GiosgConnection, case: Case, chat: Chat) -> None:
        """Said before it is noted: the id makes it one notice if the note is lost."""
        words = await self._languages.of(connection)
        event = DeskEvent(type="waiting.long", desk=stub_name(connection.name))
        await self._visitors.tell(case, event, event_id=notice_of(chat), text=words.waiting_long)
        await self._store.change(SessionId(case.session), lambda found: told(found, notice_of(chat)))
        log.info("waiting_told", session_id=case.session[:8], connection=connection.name)

    async def _end(self, case: Case, chat: Chat) -> None:
        """C13; where giosg does not let visitors end chats this one stays there, seen by nobody."""
        session = SessionId(case.session)
        case = await self._store.change(session, lambda found: _closing(found, chat.id)) or case
        if case.stage != "open_silent" or case.chat is None or case.chat.id != chat.id:
            return  # the visitor wrote just now
        try:
            await self._apis.of(case.connection).as_visitor(case.visitor_key).end(chat.id)
        except ChannelRejectedError as error:
            log.warning("silent_chat_not_ended", session_id=session[:8], error_code=error.code, status=error.status)
        await self._endings.end(case, "ended_by_visitor")


def waits_long(case: Case, notice_s: int, *, now_ms: int) -> bool:
    """Whether a visitor has waited so long for the first answer, and was not told yet; 0 seconds: never."""
    chat = case.chat
    if notice_s == 0 or chat is None or case.stage != "waiting" or chat.answered or chat.waiting_since_ms is None:
        return False
    return now_ms - chat.waiting_since_ms >= notice_s * 1_000 and notice_of(chat) not in case.told


def notice_of(chat: Chat) -> str:
    """The id of the notice: one for each chat."""
    return f"waiting.long-{chat.id}"


def _closing(case: Case, chat_id: str) -> Case | None:
    return closing(case, now_ms()) if case.chat is not None and case.chat.id == chat_id else None
