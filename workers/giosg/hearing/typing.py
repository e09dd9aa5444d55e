"""Shows the visitor that an agent writes; nothing of it is kept, and nobody minds if it is lost.

Source: specs/giosg.md sections 3.12 and 6.3.
"""

from __future__ import annotations

import asyncio

from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.ownership import Ownership
from workers.giosg.telling.visitor import Visitors
from workers.giosg.wire import Membership

WRITING = frozenset(("composing", "typing"))
"""Both vocabularies that giosg's own papers have."""
OFF_AFTER_S = 10.0


class Typing:
    """Whoever is shown to write is not any more after ten seconds, if nothing else is told."""

    def __init__(
        self, cases: CaseStore, ownership: Ownership, visitors: Visitors, *, off_after_s: float = OFF_AFTER_S
    ) -> None:
        self._cases = cases
        self._ownership = ownership
        self._visitors = visitors
        self._off_after_s = off_after_s
        self._ends: dict[str, asyncio.Task[None]] = {}

    async def member_changed(self, connection: GiosgConnection, chat_id: str, member: Membership) -> None:
        """A member of a chat began or stopped writing; ``member`` holds what changed."""
        if member.member_type != "user" or member.composing_status is None:
            return
        session = await self._ownership.known(connection, chat_id)
        case = None if session is None else (await self._cases.load(session)).case
        if case is None or not case.is_open or case.chat is None or case.chat.id != chat_id:
            return
        is_typing = member.composing_status in WRITING
        await self._visitors.signal_typing(case, is_typing=is_typing, agent=member.member_public_name)
        if (before := self._ends.pop(case.session, None)) is not None:
            before.cancel()
        if is_typing:

            async def stop_later() -> None:
                await asyncio.sleep(self._off_after_s)
                await self._visitors.signal_typing(case, is_typing=False, agent=member.member_public_name)

            end = self._ends[case.session] = asyncio.create_task(stop_later())
            end.add_done_callback(lambda done: self._forget(case.session, done))

    def _forget(self, session: str, done: asyncio.Task[None]) -> None:
        if self._ends.get(session) is done:
            del self._ends[session]
