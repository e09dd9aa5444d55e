"""Carries out the steps of one notification, in order, through every failure that may pass.

Source: specs/webim.md sections 3.2.1 and 5.4.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import stamina
import structlog

from broker.errors import (
    BackboneError,
    ChannelAuthFailedError,
    ChannelAwayError,
    ChannelError,
    ChannelGaveUpError,
    ChannelRejectedError,
    ChatGoneError,
    QueueRedirectUnsupportedError,
)
from workers.webim.channel import WEBIM, Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import MS_PER_S, Chat
from workers.webim.chat.endings import Endings
from workers.webim.collecting.stored_data import StoredData
from workers.webim.sending.client import BotApi, method_of
from workers.webim.sending.looking_up import bot_messages_before, has_acted
from workers.webim.sending.messages import Action
from workers.webim.sending.metrics import RETRIES
from workers.webim.sending.progress import Progress
from workers.webim.sending.steps import Plan, Step, redirects_to_queue

CALLS_MAX = 4
FIRST_PAUSE_S, PAUSE_S_MAX = 0.5, 2.0
"""Half a second, one, two; then the chat waits in its lane, and each wait is followed by one call: many may wait."""
AUTH_FAILED = "webim_auth_failed"
"""The alarm that an administrator sees."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sent:
    """``failed``: the code of the first step that Webim refused for good. ``acted``: it took the action."""

    failed: str | None
    acted: bool


class Sender:
    """One per process. A step that may have been taken already is looked for in Webim's own log, if there is a login.

    ``patience_s``: for how long a step is tried; what waits longer is set aside.
    """

    def __init__(
        self, api: BotApi, stored: StoredData, channels: Channels, endings: Endings, *, patience_s: float
    ) -> None:
        self._api = api
        self._stored = stored
        self._channels = channels
        self._endings = endings
        self._patience_s = patience_s

    async def send(self, channel: Channel, progress: Progress, plan: Plan, *, waited: bool = False) -> Sent:
        """What Webim made of the steps. ``waited``: the chat has waited in its lane, so its next step is tried once.

        Raises:
            ChannelAwayError: not now; the step that is next is kept.
            ChannelGaveUpError: not for too long.
            ChannelAuthFailedError, ChatGoneError, ChatNotOwnedError: no further step can help.
        """
        begun = progress.begun
        failed, acted = None if begun is None else begun.failed, False
        for number in range(0 if begun is None else begun.step, len(plan.steps)):
            is_again = begun is not None and begun.step == number
            if begun is None or not (is_again and waited):  # whoever takes it over has all its time again
                begun = await progress.begin(number, now_ms=_now_ms(), failed=failed)
            step = plan.steps[number]
            try:
                calls_max = 1 if waited and is_again else CALLS_MAX
                await self._take(channel, progress, step, doubtful=is_again, calls_max=calls_max)
            except ChannelError as error:
                if error.retryable:
                    raise self._away(error, begun.since_ms) from error
                if isinstance(error, ChannelAuthFailedError | ChatGoneError):
                    raise
                failed = failed or error.code
                await self.tell_failed(channel, progress, step, error)
            else:
                acted = isinstance(step, Action)
        return Sent(failed, acted)

    async def tell_failed(self, channel: Channel, progress: Progress, step: Step, error: ChannelError) -> None:
        """A reply that Webim refuses is logged; where it refuses to take the chat, the program hears why."""
        words = (error.error, error.desc) if isinstance(error, ChannelRejectedError) else (error.code, "")
        log.warning(
            "webim_step_refused",
            session_id=progress.chat.session[:8],
            channel_id=channel.id,
            step="message" if not isinstance(step, Action) else step.type,
            error_code=error.code,
            webim_error=words[0],
            webim_desc=words[1],
        )
        if isinstance(step, Action):
            cause = str(progress.sequence)
            await self._endings.failed_transfer(channel, progress.chat, cause=cause, error=words[0], desc=words[1])

    def _away(self, error: ChannelError, since_ms: int) -> ChannelError:
        if _now_ms() - since_ms < self._patience_s * MS_PER_S:
            away = ChannelAwayError(WEBIM, problem=str(error))
            away.retry_after_s = error.retry_after_s
            return away
        return ChannelGaveUpError(WEBIM, problem=f"tried for {self._patience_s:g} s; at last: {error}")

    async def _take(self, channel: Channel, progress: Progress, step: Step, *, doubtful: bool, calls_max: int) -> None:
        """Have Webim take one step; each try that may have been taken makes the next one look first."""
        method = method_of(step) if isinstance(step, Action) else "send_message"
        async for attempt in _tries(calls_max):
            with attempt:
                if attempt.num > 1:
                    RETRIES.labels(method).inc()
                if doubtful and await self._is_taken(channel, progress, step):
                    break
                try:
                    await self._call(channel, progress.chat, step)
                except ChannelError as error:
                    doubtful = doubtful or error.may_be_taken
                    raise
        if not isinstance(step, Action):
            progress.bot_messages += 1
        await self._end_alarm(channel)

    async def _call(self, channel: Channel, chat: Chat, step: Step) -> None:
        if not isinstance(step, Action):
            await self._api.send_message(channel, chat.chat_id, step)
            return
        if step.type == "redirect_to_queue" and not redirects_to_queue(chat.webim_version):
            problem = f"it is version {chat.webim_version}; chats go back to the queue from 10.4 on"
            code = QueueRedirectUnsupportedError.code
            raise QueueRedirectUnsupportedError(WEBIM, problem=problem, error=code, desc=problem)
        await self._api.carry_out(channel, chat.chat_id, step)

    async def _is_taken(self, channel: Channel, progress: Progress, step: Step) -> bool:
        """Whether Webim has it already. Without a login nobody knows, and it is said again (3.2.1)."""
        if not channel.collects:
            return False
        try:
            dialog = await self._stored.chat(channel, progress.chat.chat_id)
        except ChannelError as error:
            if error.retryable:
                raise
            log.warning("webim_dialog_not_read", channel_id=channel.id, error_code=error.code)
            return False
        if isinstance(step, Action):
            return has_acted(dialog, step)
        progress.bot_messages, is_there = bot_messages_before(dialog, step, known=progress.bot_messages)
        log.info("webim_message_looked_up", session_id=progress.chat.session[:8], is_there=is_there)
        return is_there

    async def raise_alarm(self, channel: Channel) -> None:
        """An administrator must look: Webim does not take the channel's token."""
        await self._channels.set_alarm(channel, AUTH_FAILED)

    async def _end_alarm(self, channel: Channel) -> None:
        if channel.alarm == AUTH_FAILED:
            try:
                await self._channels.set_alarm(channel, None)
            except BackboneError as error:  # the next success ends it
                log.warning("alarm_not_ended", channel_id=channel.id, error_code=error.code)


def _tries(calls_max: int) -> AsyncIterator[stamina.Attempt]:
    found = stamina.retry_context(
        on=_pause,
        attempts=calls_max,
        timeout=None,
        wait_initial=FIRST_PAUSE_S,
        wait_max=PAUSE_S_MAX,
        wait_jitter=0.0,
    )
    return found.__aiter__()


def _pause(error: Exception) -> bool | float:
    """Whether to try again, and how long to wait where Webim said so."""
    if not isinstance(error, ChannelError) or not error.retryable:
        return False
    return error.retry_after_s or True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
