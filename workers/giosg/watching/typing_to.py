"""Shows agents that the visitor writes, where the connection wants it.

Known of old documents only, so the first refusal switches it off until the next start. Source: specs/giosg.md 3.12.
"""

from __future__ import annotations

import asyncio

import structlog

from broker.domain.ids import SessionId
from broker.errors import BackboneError, ChannelRejectedError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case, Chat
from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.watching.turns import Turns

PAUSE_MS = 3_000
"""Between two calls for one chat, whichever process makes them."""
IDLE_S = 6.0
UNSUPPORTED = frozenset((400, 404, 405))
AT_ONCE_MAX = 200
"""Signals that are worked on; more are dropped, nobody minds."""

log = structlog.get_logger()


class TypingToGiosg:
    """Every process hears every signal; the chat's turn says which one tells giosg."""

    def __init__(self, apis: Apis, store: CaseStore, turns: Turns, connections: Connections) -> None:
        self._apis = apis
        self._store = store
        self._turns = turns
        self._wishing = {each.name for each in connections.all() if each.typing_to_giosg}
        self._telling: dict[SessionId, asyncio.Task[None]] = {}
        self._heard_s: dict[SessionId, float] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether any connection still shows it."""
        return bool(self._wishing)

    def hear(self, session: SessionId) -> None:
        """The visitor of that session writes right now."""
        if not self.is_wanted or (session not in self._telling and len(self._telling) >= AT_ONCE_MAX):
            return
        self._heard_s[session] = asyncio.get_running_loop().time()
        if session not in self._telling:
            self._telling[session] = task = asyncio.create_task(self._tell(session))
            task.add_done_callback(lambda _: self._forget(session))

    async def close(self) -> None:
        """Tell no more."""
        for task in tuple(self._telling.values()):
            task.cancel()
        if self._telling:
            await asyncio.wait(tuple(self._telling.values()))

    def _forget(self, session: SessionId) -> None:
        del self._telling[session], self._heard_s[session]

    async def _tell(self, session: SessionId) -> None:
        """While signals come, say it every three seconds; some seconds after the last one take it back."""
        loop = asyncio.get_running_loop()
        told_s = None
        try:
            while loop.time() - self._heard_s[session] < PAUSE_MS / 1_000:
                told_s = loop.time() if await self._say(session, "composing") else told_s
                await asyncio.sleep(PAUSE_MS / 1_000)
            if told_s is not None:
                await asyncio.sleep(max(0.0, self._heard_s[session] + IDLE_S - loop.time()))
                await self._say(session, "idle")
        except BackboneError as error:
            log.debug("typing_not_told", session_id=session[:8], error_code=error.code)

    async def _say(self, session: SessionId, composing: str) -> bool:
        """Whether it was this process that said it."""
        case = (await self._store.load(session)).case
        if case is None or not case.is_open or case.chat is None or case.connection not in self._wishing:
            return False
        if await self._turns.take(f"typing.{case.connection}.{case.chat.id}", PAUSE_MS) > 0:
            return False
        await self._call(case, case.chat, composing)
        return True

    async def _call(self, case: Case, chat: Chat, composing: str) -> None:
        visitor = self._apis.of(case.connection).as_visitor(case.visitor_key)
        try:
            await visitor.participate(chat.id, participating=True, composing=composing)
        except ChannelRejectedError as error:
            if error.status in UNSUPPORTED:
                self._wishing.discard(case.connection)
                log.warning("typing_switched_off", connection=case.connection, status=error.status)
