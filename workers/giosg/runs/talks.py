"""Begins the work on a run: which desk it is for, and what is remembered of its conversation."""

from __future__ import annotations

import contextlib

from broker.errors import ConflictError, InvalidSubjectError, UnknownDeskError
from broker.runtime.deadletters import Original
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.runs.content import visitor_key
from workers.giosg.runs.history import History, payloads_of
from workers.giosg.runs.run import RELEASED, DeskRun, read_run
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import SERVICE

CREATE_TRIES_MAX = 5


class Talks:
    """One per process."""

    def __init__(
        self,
        connections: Connections,
        apis: Apis,
        store: CaseStore,
        stages: Stages,
        history: History,
        standings: Standings,
    ) -> None:
        self.standings = standings
        self._connections = connections
        self._apis = apis
        self._store = store
        self._stages = stages
        self.history = history

    async def begin(self, original: Original) -> Talk | None:
        """The work on a run, None if there is none: a conversation goes that was never here.

        Raises:
            UnknownDeskError: no connection is that desk.
            BackboneError: it is no run, or not now.
        """
        run = read_run(original)
        connection = self._connections.get(run.connection)
        if connection is None or connection.org != run.org:
            raise UnknownDeskError(f"{SERVICE}.{run.connection}")
        case = await self._case(run, connection)
        if case is None:
            return None
        if case.conversation != run.conversation.prefix:
            raise InvalidSubjectError(run.conversation.prefix, problem="its session is another conversation's")
        return Talk(run, original, connection, self._apis.of(connection.name), self._store, self._stages, case)

    def at_former(self, talk: Talk) -> Talk | None:
        """The same, at the desk of ours that the conversation is with so far; None if that is gone."""
        former = self._connections.get(talk.case.connection)
        if former is None:
            return None
        api = self._apis.of(former.name)
        return Talk(talk.run, talk.original, former, api, self._store, self._stages, talk.case)

    async def _case(self, run: DeskRun, connection: GiosgConnection) -> Case | None:
        for _ in range(CREATE_TRIES_MAX):
            kept = await self._store.load(run.session)
            if kept.case is not None or run.action == RELEASED:
                return kept.case
            payloads = [run.payload, *payloads_of(await self.history.visits(run.conversation))]
            case = Case(
                org=run.org,
                connection=connection.name,
                conversation=run.conversation.prefix,
                session=run.session,
                visitor_key=visitor_key(run.org, run.channel, run.session, payloads),
                last_at_ms=now_ms(),
            )
            with contextlib.suppress(ConflictError):
                await self._store.save(case, revision=kept.revision)
                return case
        raise ConflictError(f"the case of session {run.conversation.log_id}")
