"""Handles the runs of a desk: what visitors did, and that a conversation came or went.

All that calls giosg for a session stands in that session's lane, one after another. A run may come again, at any line:
what it says has ids that derive from it, what it asked of giosg is noted before, and ``done`` comes last.
Source: specs/giosg.md sections 6.2, 6.4 and 7.
"""

from __future__ import annotations

import contextlib

import structlog

from broker.domain.events import Unlinked
from broker.domain.ids import Stub
from broker.domain.subjects import Kind
from broker.errors import ChannelError, DeskRefusedError, RoomClosedError
from broker.runtime.deadletters import Original
from workers.giosg.cases.store import now_ms
from workers.giosg.runs import marks
from workers.giosg.runs.closing import Closing
from workers.giosg.runs.conversing import Conversing
from workers.giosg.runs.patience import Patience
from workers.giosg.runs.refusing import Refusing
from workers.giosg.runs.run import RELEASED, TAKEN
from workers.giosg.runs.talk import Talk
from workers.giosg.runs.talks import Talks

NEWS: frozenset[str] = frozenset((Kind.INITIALIZE, Kind.NOTICE))
"""Kinds of which giosg learns nothing."""

log = structlog.get_logger()


class HandleRun:
    """One per process."""

    def __init__(
        self, talks: Talks, conversing: Conversing, closing: Closing, refusing: Refusing, *, patience_s: float
    ) -> None:
        self._talks = talks
        self._conversing = conversing
        self._closing = closing
        self._refusing = refusing
        self._patience = Patience(refusing, patience_s=patience_s)

    async def __call__(self, original: Original) -> None:
        """Handle one run.

        Raises:
            UnknownDeskError: no connection is that desk.
            ChannelAwayError, DeskClosedError: not now; the same run is to be handled again.
            BackboneError: it cannot be taken, or not now.
        """
        talk = await self._talks.begin(original)
        if talk is None or not (talk.is_at_home or await self._move(talk)):
            return
        if talk.run.sequence <= talk.case.done:
            log.debug("run_seen_before", session_id=talk.log_id, sequence=talk.run.sequence)
            return
        await self._carry_out(talk)
        await talk.change(lambda case: marks.done(case, talk.run.sequence))
        self._patience.forget(talk)

    async def _carry_out(self, talk: Talk) -> None:
        try:
            await self._act(talk)
        except RoomClosedError as error:
            self._patience.forget(talk)  # giosg is there
            await self._refusing.closed(talk, error, self._conversing.text_of(talk))
        except DeskRefusedError as error:
            await self._give_up(talk, error, reason="start_rejected")
        except ChannelError as error:
            if not error.retryable:
                await self._give_up(talk, error, reason=error.code)
            elif (gave_up := await self._patience.spend(talk, error)) is not None:
                await self._give_up(talk, gave_up, reason="giosg_away")

    async def _act(self, talk: Talk) -> None:
        run = talk.run
        if run.action == TAKEN and self._refusing.is_giving_back(talk):
            await self._refusing.hand_back(talk, "room_closed")
        elif run.action == TAKEN:
            await self._conversing.taken(talk)
        elif run.action == RELEASED:
            await self._released(talk)
        elif run.kind == Kind.ENDED:
            await self._closing.close(talk, "ended_by_visitor")
        elif run.kind not in NEWS:
            await self._conversing.visited(talk)

    async def _released(self, talk: Talk) -> None:
        """The desk's link is over, unless it has a newer one by now."""
        fact = await self._talks.history.fact(talk.run.conversation, talk.run.event)
        if fact is None:
            log.warning("run_without_its_fact", session_id=talk.log_id, action=RELEASED, event=talk.run.event)
            return
        epoch = fact.epoch
        if epoch < talk.case.epoch:
            return
        live = await self._talks.standings.live(talk)
        if live is not None and str(live.stub) == talk.desk and live.epoch > epoch:
            return
        await talk.change(lambda case: marks.unlinked(case, epoch))
        is_left = isinstance(fact, Unlinked) and fact.reason == "ended"
        await self._closing.close(talk, "ended_by_visitor" if is_left else "released")

    async def _give_up(self, talk: Talk, error: ChannelError | DeskRefusedError, *, reason: str) -> None:
        """No attempt can help, or none did for too long."""
        log.warning("giosg_run_given_up", session_id=talk.log_id, action=talk.run.action, error_code=error.code)
        if talk.run.action == RELEASED or talk.run.kind == Kind.ENDED:
            await self._closing.force(talk, "ended_by_visitor" if talk.run.kind == Kind.ENDED else "released")
        elif talk.run.action == TAKEN:
            await self._refusing.hand_back(talk, reason)
        else:
            await self._refusing.fail(talk, error, reason=reason)

    async def _move(self, talk: Talk) -> bool:
        """Whether the conversation has come here from another of our desks; what is late for this one is not its."""
        run = talk.run
        link = await self._talks.standings.live(talk)
        is_here = run.sequence > talk.case.done if link is None else link.stub == Stub.parse(talk.desk)
        if run.action == RELEASED or not is_here:
            if run.action not in (TAKEN, RELEASED) and self._conversing.text_of(talk):
                await self._refusing.set_aside(talk, "another desk had the conversation by then")
            return False
        there = self._talks.at_former(talk)
        if there is not None and there.case.is_open:
            with contextlib.suppress(ChannelError):  # an agent there ends it
                await self._closing.close(there, "released")
        await talk.change(lambda case: marks.moved(case, talk.connection.name, now_ms()))
        return True
