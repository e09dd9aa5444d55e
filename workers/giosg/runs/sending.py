"""Sends a visitor's text to giosg, part by part; each part once, whatever is lost on the way.

Before each C9 the case says which part may be taken from now on. A refusal is judged by what giosg says of the chat,
never by its status. Source: specs/giosg.md sections 3.9, 3.14, 7.3, 7.4 and 7.6.
"""

from __future__ import annotations

from typing import Literal

import structlog

from broker.errors import ChannelError, ChannelSilentError, ChatGoneError, IdentityLostError
from workers.giosg.cases.case import EndReason
from workers.giosg.cases.store import now_ms
from workers.giosg.runs import marks
from workers.giosg.runs.resolving import ECHO_WAIT_S, find_message, is_over
from workers.giosg.runs.splitting import split
from workers.giosg.runs.talk import Talk
from workers.giosg.wire import MessageView

TRIES_MAX = 2
"""Once, and once more when it was not found; then the text waits in its lane, and is looked for before each try."""

Outcome = Literal["sent"] | EndReason

log = structlog.get_logger()


class TextSender:
    """One per process."""

    def __init__(self, *, echo_wait_s: float = ECHO_WAIT_S) -> None:
        self._echo_wait_s = echo_wait_s

    async def settle(self, talk: Talk, text: str, event: int) -> None:
        """Where a part of this text may have been taken before, find out; the chat may be over since.

        Raises:
            ChannelError: nobody can say now.
        """
        begun = talk.case.sending
        if begun is None or begun.cause != event:
            return
        parts = split(text, characters_max=talk.connection.max_message_chars)
        if begun.part < len(parts):
            timeout_s = talk.connection.http_timeout_seconds
            left_s = min(timeout_s, begun.since_ms / 1_000 + timeout_s - now_ms() / 1_000)
            # giosg may still be at work on a call whose process was ended, or paused, while it waited for the answer
            await self._is_found(talk, parts[begun.part], event, begun.part, wait_s=left_s)
        await talk.change(marks.not_sending)

    @staticmethod
    def has_sent(talk: Talk, text: str, event: int) -> bool:
        """Whether giosg is known to have all of the text."""
        parts = split(text, characters_max=talk.connection.max_message_chars)
        return marks.sent_parts(talk.case, event) >= len(parts)

    async def send(self, talk: Talk, text: str, event: int, *, done: int = 0) -> Outcome:
        """``sent``: giosg has all of it. Else the chat is over, for that reason, and the rest is for another one.

        ``done``: the run that ends with it, 0 for none.

        Raises:
            ChannelError: not now (``retryable``), or giosg will not have it.
        """
        parts = split(text, characters_max=talk.connection.max_message_chars)
        for part in range(marks.sent_parts(talk.case, event), len(parts)):
            is_last = part == len(parts) - 1
            outcome = await self._send_part(talk, parts[part], event, part, done=done if is_last else 0)
            if outcome != "sent":
                return outcome
        return "sent"

    async def _send_part(self, talk: Talk, text: str, event: int, part: int, *, done: int) -> Outcome:
        for _ in range(TRIES_MAX):
            case = await talk.change(lambda case: marks.sending(case, event, part, now_ms()))
            if marks.sent_parts(case, event) > part:
                return "sent"
            if not case.is_open or case.chat is None:
                return case.end_reason or "ended_by_giosg"
            chat_id = case.chat.id
            try:
                message = await talk.calls.send(chat_id, text)
            except ChannelError as error:
                if not error.may_be_taken:
                    await talk.change(marks.not_sending)
                    return await self._judge(talk, chat_id, error)
                log.info("giosg_send_in_doubt", session_id=talk.log_id, error_code=error.code)
                if await self._is_found(talk, text, event, part, done=done):
                    return "sent"
                continue
            await self._note(talk, message, event, done=done)
            return "sent"
        raise ChannelSilentError(talk.desk, problem="a text was sent twice, and it is not known whether it was taken")

    async def _is_found(
        self, talk: Talk, text: str, event: int, part: int, *, done: int = 0, wait_s: float = 0.0
    ) -> bool:
        wait_s = max(wait_s, self._echo_wait_s)
        found = await find_message(talk, text, event=event, part=part, echo_wait_s=wait_s)
        log.info("giosg_message_looked_up", session_id=talk.log_id, is_there=found is not None)
        if found is not None:
            await self._note(talk, found, event, done=done)
        return marks.sent_parts(talk.case, event) > part

    async def _note(self, talk: Talk, message: MessageView, event: int, *, done: int) -> None:
        await talk.change_stage(lambda case: marks.has_taken(case, message, event, done=done, now_ms=now_ms()))

    async def _judge(self, talk: Talk, chat_id: str, error: ChannelError) -> EndReason:
        """Why the text is for another chat; what passes, or is the text's own fault, is raised."""
        if error.retryable:
            raise error
        if isinstance(error, IdentityLostError):
            reason: EndReason = "identity_lost"
        else:
            over = await is_over(talk, chat_id)
            if over is None and not isinstance(error, ChatGoneError):
                raise error
            reason = over or "identity_lost"  # giosg has it, and it is not this visitor's any more
        log.warning("giosg_chat_over", session_id=talk.log_id, connection=talk.connection.name, reason=reason)
        return reason
