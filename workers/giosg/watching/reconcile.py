"""Looks at each open chat by itself, so that nothing is lost where webhooks do not come, only later.

Source: specs/giosg.md section 6.5.
"""

from __future__ import annotations

import asyncio

from broker.domain.ids import SessionId
from broker.errors import ChatGoneError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case, Chat
from workers.giosg.cases.store import CaseStore, Listed, now_ms
from workers.giosg.cases.transitions import after_flags, is_settled
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.hearing import Hearing
from workers.giosg.watching.health import Health
from workers.giosg.watching.metrics import RECONCILED
from workers.giosg.wire import ChatView, MessageView

LATE_MS = 180_000
"""So long after its end a chat is still looked at: what an agent wrote just before may come to light only then."""
ASKING_MAX = 8
"""Chats of one connection that giosg is asked about at a time: visitors' own calls have to get through beside that."""


class Reconciling:
    """Feeds what it finds into the same hearing as webhooks, which knows what it has heard already."""

    def __init__(self, apis: Apis, cases: CaseStore, hearing: Hearing, health: Health) -> None:
        self._apis = apis
        self._cases = cases
        self._hearing = hearing
        self._health = health
        self._asking: dict[str, asyncio.Semaphore] = {}

    async def look(self, connection: GiosgConnection, listed: Listed, case: Case | None) -> None:
        """Look at one listed case; one that is over for long, or elsewhere, is listed no more.

        Raises:
            BackboneError: giosg or the bus does not say it now.
        """
        if case is not None and case.connection == connection.name:
            if case.chat is not None and _is_worth_a_look(case):
                await self._compare(connection, case, case.chat)
                return
            if case.needs_watching:
                return
        if now_ms() - listed.since_ms > LATE_MS:  # whoever listed it had time to save it
            await self._cases.strike_off(connection.name, listed)

    async def _compare(self, connection: GiosgConnection, case: Case, kept: Chat) -> None:
        try:
            chat, messages = await self._ask(connection, kept)
        except ChatGoneError:
            RECONCILED.labels("gone").inc()
            await self._hearing.chat_gone(connection, kept.id)
            return
        self._note_encryption(connection, kept, chat)
        is_as_known = is_settled(case) or (case.is_open and not chat.is_ended)
        if messages is None and is_as_known and after_flags(case, chat) == case:
            RECONCILED.labels("same").inc()
            return
        if messages is not None:
            await self._hearing.messages(connection, kept.id, messages)
        await self._hearing.chat(connection, chat, fetched=True)
        await self._cases.change(SessionId(case.session), lambda found: looked_at(found, chat))
        RECONCILED.labels("moved").inc()

    async def _ask(self, connection: GiosgConnection, kept: Chat) -> tuple[ChatView, list[MessageView] | None]:
        """The chat, and all that was said in it where something may have been since the last look."""
        api = self._apis.of(connection.name)
        async with self._asking.setdefault(connection.name, asyncio.Semaphore(ASKING_MAX)):
            chat = await api.chat(kept.id)
            return chat, await api.messages(kept.id) if has_moved(kept, chat) else None

    def _note_encryption(self, connection: GiosgConnection, kept: Chat, chat: ChatView) -> None:
        if chat.is_encrypted:
            self._health.problem(connection.name, "encrypted_room", "a chat of the room is encrypted")
        elif chat.is_encrypted is False:
            reasons = self._health.of(connection.name).reasons
            if any(reason.code == "encrypted_room" and reason.since_ms < kept.opened_at_ms for reason in reasons):
                self._health.clear(connection.name, "encrypted_room")


def has_moved(kept: Chat, chat: ChatView) -> bool:
    """Whether anything may have come since all messages were looked at; giosg that does not tell may have news."""
    if chat.updated_at is None and chat.message_count is None:
        return True
    return (chat.updated_at, chat.message_count) != (kept.looked_at, kept.message_count)


def looked_at(case: Case, chat: ChatView) -> Case:
    """All messages that the chat had then were heard."""
    if case.chat is None or case.chat.id != chat.id:
        return case
    marks = {"looked_at": chat.updated_at, "message_count": chat.message_count}
    return case.model_copy(update={"chat": case.chat.model_copy(update=marks)})


def _is_worth_a_look(case: Case) -> bool:
    """It is open, or ended lately, or was not brought to its end by whoever ended it."""
    if case.is_open:
        return True
    ended_at_ms = 0 if case.ended_at_ms is None else case.ended_at_ms
    is_late = case.stage == "ended" and now_ms() - ended_at_ms < LATE_MS
    return is_late or (case.stage in ("ended", "removed") and not is_settled(case))
