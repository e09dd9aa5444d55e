"""Closes the chat of a visitor who has left, or whose conversation is somebody else's now.

Source: specs/giosg.md sections 3.12, 3.13 and 6.4.
"""

from __future__ import annotations

import asyncio

import structlog

from broker.errors import ChannelError, ChannelRejectedError
from workers.giosg.cases.case import EndReason
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.store import now_ms
from workers.giosg.cases.transitions import closing, not_started
from workers.giosg.runs.opening import Opening
from workers.giosg.runs.talk import Talk

END_WAIT_S = 5.0
"""So long the webhook of the end may take; then giosg is asked."""
LOOK_S = 0.2
IDLE = "idle"

log = structlog.get_logger()


class Closing:
    """One per process."""

    def __init__(self, endings: Endings, opening: Opening, *, end_wait_s: float = END_WAIT_S) -> None:
        self._endings = endings
        self._opening = opening
        self._end_wait_s = end_wait_s

    async def close(self, talk: Talk, reason: EndReason) -> None:
        """As the connection wishes; afterwards the case is ended, whatever giosg let the visitor do.

        Raises:
            ChannelError: not now.
        """
        if not talk.case.is_open:
            await self._opening.settle(talk)
        if not talk.case.is_open:
            await talk.change(not_started)
            return
        match talk.connection.on_visitor_close:
            case "end":
                await talk.change(lambda case: closing(case, now_ms(), reason))
                await self._end(talk)
                ended: EndReason = reason
            case "leave":
                await self._leave(talk)
                ended = "left"
            case "nothing":
                ended = "released" if reason == "released" else "left"
        case = await talk.look()
        if case.is_open:
            talk.case = await self._endings.end(case, ended)

    async def force(self, talk: Talk, reason: EndReason) -> None:
        """The desk has been away for too long: the conversation ends here, and there it stays as it is."""
        if talk.case.is_open:
            talk.case = await self._endings.end(talk.case, reason)
        await talk.change(not_started)

    async def _end(self, talk: Talk) -> None:
        chat = talk.case.chat
        if chat is None:
            return
        try:
            await talk.calls.end(chat.id)
        except ChannelError as error:
            if error.retryable:
                raise
            log.warning("giosg_end_refused", session_id=talk.log_id, error_code=error.code, status=_status(error))
            await self._leave(talk)
            return
        await self._wait_for_end(talk)

    async def _leave(self, talk: Talk) -> None:
        """Leaving is known of old documents only: a giosg that does not have it is left alone."""
        chat = talk.case.chat
        if chat is None:
            return
        try:
            await talk.calls.participate(chat.id, participating=False, composing=IDLE)
        except ChannelError as error:
            if error.retryable:
                raise
            log.warning("giosg_leave_refused", session_id=talk.log_id, error_code=error.code, status=_status(error))

    async def _wait_for_end(self, talk: Talk) -> None:
        """The chat's own webhook ends the case; where none comes, C8 says whether it worked."""
        deadline = asyncio.get_running_loop().time() + self._end_wait_s
        while True:
            case = await talk.look()
            if not case.is_open or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(LOOK_S)
        if case.is_open and case.chat is not None:
            try:
                is_ended = (await talk.api.chat(case.chat.id)).is_ended
            except ChannelError as error:
                log.warning("giosg_end_not_confirmed", session_id=talk.log_id, error_code=error.code)
            else:
                if not is_ended:
                    log.warning("giosg_end_not_confirmed", session_id=talk.log_id, error_code="still_open")


def _status(error: ChannelError) -> int | None:
    return error.status if isinstance(error, ChannelRejectedError) else None
