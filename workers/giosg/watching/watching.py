"""All that is done by the clock, for every connection: reconciliation, presence, silence, and probes of what is ill."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from broker.errors import BackboneError
from broker.transport.connection import Connection
from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.health import Health
from workers.giosg.watching.presence import Presence
from workers.giosg.watching.reconcile import Reconciling
from workers.giosg.watching.rounds import Round, Rounds, pause
from workers.giosg.watching.signals import hearing_visitors
from workers.giosg.watching.silence import Silence
from workers.giosg.watching.standing import ProblemCode
from workers.giosg.watching.turns import Turns
from workers.giosg.watching.typing_to import TypingToGiosg

SILENCE_S_MAX = 15.0
SILENCE_S_MIN = 1.0
NOTICE_LATE = 8
"""A notice comes late by an eighth of what is waited for, at most."""
LISTENING_MAX = 64
"""Each that has news waits a second or two for its turn in its own chat; giosg is asked about fewer at a time."""
PROBE_S = 60.0
GRACE_S = 2.0
PROBE_LOOK_S = 2.0
PROBED: tuple[ProblemCode, ...] = ("token_refused", "wrong_room", "giosg_away")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Watching:
    """Any number of processes may run it: each thing is done by one of them at a time."""

    connection: Connection
    connections: Connections
    cases: CaseStore
    turns: Turns
    health: Health
    availability: Availability
    reconciling: Reconciling
    presence: Presence
    silence: Silence
    typing: TypingToGiosg
    probe_s: float = PROBE_S

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set. What is under way then is given up after some seconds: others do it again."""
        everything = self.connections.all()
        orgs = sorted({each.org for each in everything})
        async with hearing_visitors(self.connection, orgs, self.presence, self.typing):
            loops = [asyncio.ensure_future(loop) for each in everything for loop in self._loops(each, stop)]
            stopping = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    await asyncio.wait(loops or {stopping}, timeout=GRACE_S)
            finally:
                await _end([stopping, *loops])
                await self.typing.close()
            for loop in loops:
                if not loop.cancelled():
                    loop.result()  # what ended one of them early

    def _loops(self, connection: GiosgConnection, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        rounds = [Round("silence", _silence_s(connection), self.silence.look)]
        if connection.reconcile_seconds:
            rounds.append(Round("reconcile", connection.reconcile_seconds, self.reconciling.look, LISTENING_MAX))
        if connection.presence_seconds:
            rounds.append(Round("presence", connection.presence_seconds / 2, self.presence.look))
        walking = [Rounds(self.cases, self.turns, connection, each).run(stop) for each in rounds]
        return [*walking, self._probe(connection, stop)]

    async def _probe(self, connection: GiosgConnection, stop: asyncio.Event) -> None:
        """Ask what is ill now and then whether it is well again, though nobody needs it; one process does."""
        while not stop.is_set():
            await pause(stop, PROBE_LOOK_S)
            if not any(self.health.has(connection.name, code) for code in PROBED):
                continue
            try:
                if await self.turns.take(f"{connection.name}.probe", int(self.probe_s * 1_000)) == 0:
                    await self.availability.check(connection, is_fresh=True)
            except BackboneError as error:
                log.warning("probe_not_made", connection=connection.name, error_code=error.code)


async def _end(tasks: list[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _silence_s(connection: GiosgConnection) -> float:
    wanted_s = connection.waiting_notice_seconds / NOTICE_LATE or SILENCE_S_MAX
    return min(SILENCE_S_MAX, max(SILENCE_S_MIN, wanted_s))
