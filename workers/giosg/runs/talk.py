"""One run's work on one conversation: its case as it was last seen, and giosg as its visitor sees it."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import ConflictError
from broker.runtime.deadletters import Original
from workers.giosg.calls.client import GiosgApi, VisitorCalls
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CaseStore, Change
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.runs.run import DeskRun
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import stub_name


@dataclass(slots=True)
class Talk:
    """``case`` is never older than the last change or look; others may have gone on with it since."""

    run: DeskRun
    original: Original
    connection: GiosgConnection
    api: GiosgApi
    store: CaseStore
    stages: Stages
    case: Case

    @property
    def calls(self) -> VisitorCalls:
        """giosg, as the visitor."""
        return self.api.as_visitor(self.case.visitor_key)

    @property
    def desk(self) -> str:
        """The desk's stub."""
        return stub_name(self.connection.name)

    @property
    def is_at_home(self) -> bool:
        """Whether the conversation is with the very desk that the run is for."""
        return self.case.connection == self.connection.name

    @property
    def log_id(self) -> str:
        """The conversation in a log line."""
        return self.run.conversation.log_id

    async def change(self, change: Change) -> Case:
        """The case after a pure change, whoever else writes.

        Raises:
            ConflictError: others were faster every time, or the case is gone; the run is to be handled again.
        """
        after = await self.store.change(self.run.session, change)
        if after is None:
            raise ConflictError(f"the case of session {self.log_id}")
        self.case = after
        return after

    async def change_stage(self, change: Change) -> Case:
        """As change(), and the conversation hears of a new stage."""
        after = await self.stages.change(self.run.session, change)
        if after is None:
            raise ConflictError(f"the case of session {self.log_id}")
        self.case = after
        return after

    async def look(self) -> Case:
        """The case as it is now."""
        return await self.change(lambda _: None)
