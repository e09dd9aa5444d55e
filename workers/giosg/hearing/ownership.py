"""Whose chat a chat is: the organization's website has chats too, and webhooks tell of them all.

Source: specs/giosg.md section 4.5.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from broker.domain.ids import SessionId
from broker.errors import ChannelAuthFailedError, ChatGoneError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.cases.transitions import with_chat
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.metrics import LOOKUPS
from workers.giosg.telling.stages import Stages

FOREIGN_KEPT_S = 3_600.0
UNSURE_KEPT_S = 10.0
"""A chat of a visitor of ours that nobody has asked for: whoever did may be about to note it."""
STARTING_WAIT_S = 3.0
LOOK_AGAIN_S = 0.05
KNOWN_MAX = 50_000
"""Chats that are remembered; the oldest are forgotten, and looked up again."""

log = structlog.get_logger()


class Ownership:
    """One look-up at giosg per unknown chat, whatever is told of it at the same time; then memory."""

    def __init__(
        self, cases: CaseStore, apis: Apis, stages: Stages, *, starting_wait_s: float = STARTING_WAIT_S
    ) -> None:
        self._cases = cases
        self._apis = apis
        self._stages = stages
        self._starting_wait_s = starting_wait_s
        self._foreign_until_s: dict[tuple[str, str], float] = {}
        self._unsure_until_s: dict[tuple[str, str], float] = {}
        self._lookups: dict[tuple[str, str], asyncio.Task[SessionId | None]] = {}

    def is_foreign(self, connection: GiosgConnection, chat_id: str) -> bool:
        """Whether it is remembered that the chat is none of ours; what is only not known to be ours is not."""
        return _is_kept(self._foreign_until_s, (connection.name, chat_id))

    def _is_passed_over(self, connection: GiosgConnection, chat_id: str) -> bool:
        return self.is_foreign(connection, chat_id) or _is_kept(self._unsure_until_s, (connection.name, chat_id))

    async def known(self, connection: GiosgConnection, chat_id: str) -> SessionId | None:
        """The session whose chat it is, as far as that is known here; giosg is not asked."""
        if self.is_foreign(connection, chat_id):
            return None
        return await self._cases.owner_of_chat(connection.organization_id, chat_id)

    async def look_again(self, connection: GiosgConnection, chat_id: str) -> None:
        """Forget that the chat was nobody's here if it is somebody's: giosg may have said too little of it at first."""
        key = (connection.name, chat_id)
        if not (key in self._foreign_until_s or key in self._unsure_until_s):
            return
        if await self._cases.owner_of_chat(connection.organization_id, chat_id) is not None:
            self._foreign_until_s.pop(key, None)
            self._unsure_until_s.pop(key, None)

    async def resolve(self, connection: GiosgConnection, chat_id: str) -> SessionId | None:
        """The session whose chat it is; an unknown one is looked up once, and a visitor's who is waited for adopted.

        Raises:
            ChannelError: giosg does not say it now.
        """
        if self.is_foreign(connection, chat_id):
            return None
        session = await self._cases.owner_of_chat(connection.organization_id, chat_id)
        if session is not None or self._is_passed_over(connection, chat_id):  # whoever asked for it may note it late
            return session
        key = (connection.name, chat_id)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.create_task(self._look_up(connection, chat_id))
            lookup.add_done_callback(lambda done: self._looked_up(key, done))
        return await asyncio.shield(lookup)

    def _looked_up(self, key: tuple[str, str], done: asyncio.Task[SessionId | None]) -> None:
        del self._lookups[key]
        if not done.cancelled():
            done.exception()  # whoever waited for it may be gone

    async def _look_up(self, connection: GiosgConnection, chat_id: str) -> SessionId | None:
        try:
            members = await self._apis.of(connection.name).memberships(chat_id)
        except ChatGoneError:
            return self._pass_over(connection, chat_id, "gone")
        except ChannelAuthFailedError:
            return self._pass_over(connection, chat_id, "refused")
        visitor_id = next((one.member_id for one in members if one.member_type == "visitor"), None)
        session = None
        if visitor_id is not None:
            session = await self._cases.session_of_visitor(connection.organization_id, visitor_id)
        if session is None:
            return self._pass_over(connection, chat_id, "foreign")
        owner = await self._wait_for_start(connection, chat_id, session)
        if owner is None:
            return self._pass_over(connection, chat_id, "unasked")
        LOOKUPS.labels("ours").inc()
        return owner

    async def _wait_for_start(self, connection: GiosgConnection, chat_id: str, session: SessionId) -> SessionId | None:
        """Whoever opens a chat notes it; where that takes too long, the chat is noted from here."""
        deadline_s = time.monotonic() + self._starting_wait_s
        while True:
            owner = await self._cases.owner_of_chat(connection.organization_id, chat_id)
            if owner is not None:
                return owner
            case = (await self._cases.load(session)).case
            if case is None or case.starting is None or case.connection != connection.name:
                return None
            if time.monotonic() >= deadline_s:
                return await self._adopt(connection, chat_id, case) if case.starting.asked else None
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _adopt(self, connection: GiosgConnection, chat_id: str, case: Case) -> SessionId | None:
        chat = await self._apis.of(connection.name).chat(chat_id)
        if chat.is_ended or chat.room_id not in (None, connection.room_id):
            return None
        owner = await self._cases.own_chat(connection.organization_id, chat_id, SessionId(case.session))
        if owner == case.session:
            await self._stages.change(
                owner, lambda found: with_chat(found, chat, now_ms()) if found.starting is not None else None
            )
            log.info("chat_adopted", session_id=case.session[:8], connection=connection.name)
        return owner

    def _pass_over(self, connection: GiosgConnection, chat_id: str, outcome: str) -> SessionId | None:
        """Nobody's here, for a while."""
        LOOKUPS.labels(outcome).inc()
        is_sure = outcome in ("foreign", "gone")
        kept, kept_s = (self._foreign_until_s, FOREIGN_KEPT_S) if is_sure else (self._unsure_until_s, UNSURE_KEPT_S)
        while len(kept) >= KNOWN_MAX:
            del kept[next(iter(kept))]
        kept[connection.name, chat_id] = time.monotonic() + kept_s
        return None


def _is_kept(kept: dict[tuple[str, str], float], key: tuple[str, str]) -> bool:
    until_s = kept.get(key)
    if until_s is not None and until_s <= time.monotonic():
        del kept[key]
        return False
    return until_s is not None
