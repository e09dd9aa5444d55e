"""Opens the giosg chat of a conversation: C5, C1, C2, C4, C6, in that order, and never two for one wish.

Before C6 the case says that a chat may be made; a crash, or an answer that never came, makes whoever goes on look for
it first. Source: specs/giosg.md sections 1, 3.14, 5 and 7.1.
"""

from __future__ import annotations

import asyncio

import structlog

from broker.errors import (
    BackboneError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    DeskRefusedError,
    IdentityLostError,
    RoomClosedError,
    RoomUnknownError,
)
from workers.giosg.cases.store import now_ms
from workers.giosg.cases.transitions import with_chat
from workers.giosg.runs import marks
from workers.giosg.runs.introducing import Introducing
from workers.giosg.runs.resolving import find_chat
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk
from workers.giosg.watching.availability import Availability
from workers.giosg.wire import ChatView

OTHERS_WAIT_S = 60.0
"""So long another run's opening of the same conversation may take."""
LOOK_S = 0.25
TRIES_MAX = 3

log = structlog.get_logger()


class Opening:
    """One per process."""

    def __init__(
        self,
        availability: Availability,
        introducing: Introducing,
        standings: Standings,
        *,
        others_wait_s: float = OTHERS_WAIT_S,
    ) -> None:
        self._availability = availability
        self._introducing = introducing
        self._standings = standings
        self._others_wait_s = others_wait_s

    async def open(self, talk: Talk) -> None:
        """Afterwards the case has a chat that messages may go to.

        Raises:
            RoomClosedError: nobody is there.
            DeskRefusedError: giosg would not, though somebody is there.
            ChannelError: not now.
        """
        await self._let_others_finish(talk)
        await self.settle(talk)
        if talk.case.is_open:
            return
        await self._check_room(talk)
        await self._standings.take_if_free(talk)
        await talk.change(lambda case: marks.begun(case, talk.run.sequence, now_ms()))
        for _ in range(TRIES_MAX):
            try:
                await self._create(talk)
            except IdentityLostError:
                continue  # a new identity is kept: begin again with that one
            if talk.case.is_open:
                return
        raise ChannelSilentError(talk.desk, problem="it was asked for a chat again and again, and none was found")

    async def settle(self, talk: Talk) -> None:
        """Where a chat may have been made that nobody heard of, find out.

        Raises:
            ChannelError: nobody can say now.
        """
        if talk.case.starting is not None and talk.case.starting.asked:
            await self._adopt(talk)

    async def _let_others_finish(self, talk: Talk) -> None:
        """Another run's opening is waited for; if it does not end, this one goes on where it stopped."""
        deadline = asyncio.get_running_loop().time() + self._others_wait_s
        case = await talk.look()
        while case.starting is not None and case.starting.cause != talk.run.sequence and not case.is_open:
            waited_ms = now_ms() - case.starting.since_ms
            if waited_ms > self._others_wait_s * 1_000 or asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(LOOK_S)
            case = await talk.look()

    async def _check_room(self, talk: Talk, *, is_fresh: bool = False) -> None:
        """C5; that it fails stops nobody: the next calls will tell."""
        found = await self._availability.check(talk.connection, is_fresh=is_fresh)
        if found.available is False:
            await self._stop(talk)
            raise RoomClosedError(talk.desk)

    async def _create(self, talk: Talk) -> None:
        identity = await talk.calls.identity()
        await talk.store.lead_visitor(talk.connection.organization_id, identity.visitor_id, talk.run.session)
        try:
            await talk.calls.enter_room()
        except RoomUnknownError:
            await self._stop(talk)
            raise RoomClosedError(talk.desk, is_unknown=True) from None
        await self._introducing.introduce(talk)
        case = await talk.change(marks.asked)
        if case.is_open:
            return
        try:
            chat = await talk.calls.create_chat()
        except IdentityLostError:
            await talk.change(marks.not_asked)
            raise
        except ChannelError as error:
            await self._not_created(talk, error)
        else:
            await self._keep(talk, chat)

    async def _not_created(self, talk: Talk, error: ChannelError) -> None:
        if error.may_be_taken:
            await self._adopt(talk)
            return
        await talk.change(marks.not_asked)
        if not isinstance(error, ChannelRejectedError):
            raise error
        await self._check_room(talk, is_fresh=True)
        await self._stop(talk)
        problem = f"status {error.status} to a new chat, though its room is open: {error.desc}"
        raise DeskRefusedError(talk.desk, problem=problem) from error

    async def _adopt(self, talk: Talk) -> None:
        """A chat that was made without anybody having heard of it becomes the case's."""
        if talk.case.is_open:
            return
        try:
            chat = await find_chat(talk)
        except IdentityLostError:
            chat = None  # whatever it made is out of reach
        log.info("giosg_chat_looked_up", session_id=talk.log_id, is_there=chat is not None)
        if chat is not None:
            await self._keep(talk, chat)

    async def _keep(self, talk: Talk, chat: ChatView) -> None:
        """First the index, then the case; what another session or process has is left to it."""
        owner = await talk.store.own_chat(talk.connection.organization_id, chat.id, talk.run.session)
        if owner != talk.run.session:
            return
        case = await talk.change_stage(lambda case: case if case.is_open else with_chat(case, chat, now_ms()))
        if case.chat is not None and case.chat.id == chat.id:
            log.info("giosg_chat_opened", session_id=talk.log_id, connection=talk.connection.name)
            return
        log.warning("giosg_chat_superfluous", session_id=talk.log_id, connection=talk.connection.name)
        try:
            await talk.calls.end(chat.id)
        except BackboneError as error:
            log.debug("giosg_chat_not_ended", error_code=error.code)

    async def _stop(self, talk: Talk) -> None:
        """Nothing is under way any more; what becomes of the conversation is for whoever asked."""
        await talk.change(marks.stopped)
