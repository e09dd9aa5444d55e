"""Webim's Bot API, as the bot calls it, and what its answers mean.

Source: specs/webim.md sections 3.2 and 3.2.1.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import structlog

from broker.domain.wire import Body, dump
from broker.errors import (
    ChannelAnswerError,
    ChannelAuthFailedError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChatGoneError,
)
from broker.runtime.outbound_http import Answer, Call, OutboundHttp
from workers.webim.channel import Channel
from workers.webim.sending.messages import Action, Message
from workers.webim.sending.metrics import CALLS

ANSWER_BYTES_MAX = 64 * 1024
SHOWN_BYTES = 500
"""Of an answer that is no JSON."""
ASKED_WAIT_S_MAX = 30.0
"""Whoever asks for a longer pause is tried again as anybody else."""
NOT_DONE = frozenset((502, 503))
"""Said by whatever stands in front of Webim, or by a Webim that takes nothing: what was asked was not done."""

Method = Literal["send_message", "redirect_chat", "close_chat"]

log = structlog.get_logger()


class BotApi:
    """The three calls, each tried once. They return when Webim has taken it, and raise a ChannelError when not.

    ``base_url_template``: where a channel's Webim is, with ``{domain}`` in it.
    """

    def __init__(self, http: OutboundHttp, *, base_url_template: str) -> None:
        self._http = http
        self._base_url_template = base_url_template

    async def send_message(self, channel: Channel, chat_id: int | str, message: Message) -> None:
        """Show the visitor one message."""
        await self._call(channel, "send_message", {"chat_id": chat_id, "message": dump(message)})

    async def carry_out(self, channel: Channel, chat_id: int | str, action: Action) -> None:
        """Give the chat away, or close it."""
        await self._call(channel, method_of(action), {"chat_id": chat_id, **target_of(action)})

    async def _call(self, channel: Channel, method: Method, body: Body) -> None:
        try:
            await self._try(channel, method, body)
        except ChannelError as error:
            CALLS.labels(method, error.code).inc()
            raise
        CALLS.labels(method, "ok").inc()

    async def _try(self, channel: Channel, method: Method, body: Body) -> None:
        token, to = channel.settings.bot_api_token, f"webim ({method} of channel {channel.id})"
        if token is None:
            raise ChannelAuthFailedError(to, problem="the channel has no bot token: enter the one that Webim issued")
        url = f"{self._base_url_template.replace('{domain}', channel.settings.domain)}/api/bot/v2/{method}"
        content = json.dumps(body).encode()
        headers = {"Authorization": f"Token {token}"}
        answer = await self._http.call(Call(to, "POST", url, headers, content, ANSWER_BYTES_MAX))
        failure = failure_of(to, answer)
        if isinstance(failure, ChannelAnswerError):
            start = answer.body[:SHOWN_BYTES].decode(errors="replace").replace(token, "…")
            log.warning("webim_answer_unreadable", channel_id=channel.id, status=answer.status, start=start)
        if failure is not None:
            raise failure


def method_of(action: Action) -> Method:
    """The call that carries the action out."""
    return "close_chat" if action.type == "close_chat" else "redirect_chat"


def target_of(action: Action) -> Body:
    """To whom the chat goes, as the call has it; nothing for the queue, and for a chat that is closed."""
    if action.type == "redirect_to_operator":
        assert action.operator_id is not None  # noqa: S101 - read_action() sees to it
        return {"operator_id": int(action.operator_id)}
    return {"dep_key": action.department_key} if action.type == "redirect_to_department" else {}


def failure_of(to: str, answer: Answer) -> ChannelError | None:
    """What an answer says against the call, None if it was taken. An empty object is success."""
    status = answer.status
    if 200 <= status < 300:
        return _said(to, answer)
    what = f"it answered with status {status}"
    if status in (401, 403):
        return ChannelAuthFailedError(to, problem=f"{what}: the bot token is not the one that Webim issued")
    if status == 429:
        return ChannelThrottledError(to, retry_after_s=_asked_wait_s(answer))
    if status >= 500:
        return (ChannelError if status in NOT_DONE else ChannelSilentError)(to, problem=what)
    error, desc = _words(_parsed(answer))
    kind = ChatGoneError if status == 404 else ChannelRejectedError
    return kind(to, problem=what, status=status, error=error, desc=desc)


def _said(to: str, answer: Answer) -> ChannelError | None:
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = _parsed(answer)
    if media_type != "application/json" or not isinstance(body, dict):
        problem = f"it answered {len(answer.body)} bytes that are no JSON object, as {media_type[:40] or 'nothing'!r}"
        return ChannelAnswerError(to, problem=problem, status=answer.status)
    if "error" not in body:
        return None
    error, desc = _words(body)
    return ChannelRejectedError(to, problem="it refused", status=answer.status, error=error, desc=desc)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _words(body: Any) -> tuple[str | None, str]:
    """Webim's code and text; both are opaque, so whatever they are, they are text."""
    if not isinstance(body, dict):
        return None, ""
    error, desc = body.get("error"), body.get("desc")
    return None if error is None else str(error), "" if desc is None else str(desc)


def _asked_wait_s(answer: Answer) -> float:
    asked = answer.headers.get("retry-after", "")
    wait_s = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
    return wait_s if wait_s <= ASKED_WAIT_S_MAX else 0.0
