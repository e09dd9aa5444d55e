"""Webim's Stored Data API: what it keeps of chats, read with the channel's admin login.

Source: specs/webim.md section 3.3.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from broker.errors import (
    ChannelAnswerError,
    ChannelAuthFailedError,
    ChannelAwayError,
    ChannelError,
    ChannelRejectedError,
    ChannelThrottledError,
    ChatGoneError,
)
from broker.runtime.outbound_http import Answer, Call, OutboundHttp
from workers.webim.channel import WEBIM, Channel
from workers.webim.collecting.dialog import Dialog, read_dialog

CHAT_BYTES_MAX = 8 << 20
"""Of one chat with all its messages."""
PAGE_BYTES_MAX = 32 << 20
"""Of a page, a hundred chats."""
AGAIN_S = 60.0
"""How long to leave Webim alone when it asks for it and does not say for how long."""


@dataclass(frozen=True, slots=True)
class Page:
    """Chats that changed, the longest ago first; ``last_ts`` is what the next page, or the next look, begins after."""

    dialogs: tuple[Dialog, ...]
    last_ts: str
    more: bool


class StoredData:
    """The three calls; only for channels with an admin login. ``base_url_template`` has ``{domain}`` in it.

    Each raises a ChannelError: ChannelAuthFailedError where the login is refused, ChatGoneError for a chat that Webim
    does not have, ChannelRejectedError for what another try would not change, and else one that may be retried.
    """

    def __init__(self, http: OutboundHttp, *, base_url_template: str) -> None:
        self._http = http
        self._base_url_template = base_url_template

    async def chat(self, channel: Channel, chat_id: int | str) -> Dialog:
        """One chat with all its messages."""
        body = await self._get(channel, "chat", {"id": str(chat_id)}, bytes_max=CHAT_BYTES_MAX)
        chat = body.get("chat") if isinstance(body, dict) else None
        dialog = read_dialog(chat) if isinstance(chat, dict) else None
        if dialog is None:
            raise _unreadable("chat")
        return dialog

    async def chats(self, channel: Channel, since: str) -> Page:
        """The next page of chats that changed after ``since``: microseconds of Unix time, or a page's ``last_ts``."""
        body = await self._get(channel, "chats", {"since": since}, bytes_max=PAGE_BYTES_MAX)
        found = body.get("chats") if isinstance(body, dict) else None
        last_ts = body.get("last_ts") if isinstance(body, dict) else None
        if not isinstance(found, list) or isinstance(last_ts, bool) or not isinstance(last_ts, int | str):
            raise _unreadable("chats")
        dialogs = (read_dialog(chat) for chat in found if isinstance(chat, dict))
        more = body.get("more_chats_available") is True
        return Page(tuple(dialog for dialog in dialogs if dialog is not None), str(last_ts), more)

    async def operators(self, channel: Channel) -> list[Mapping[str, Any]]:
        """Everybody who works at that account."""
        body = await self._get(channel, "operators", {}, bytes_max=CHAT_BYTES_MAX)
        if not isinstance(body, list):
            raise _unreadable("operators")
        return [each for each in body if isinstance(each, dict)]

    async def _get(self, channel: Channel, path: str, query: Mapping[str, str], *, bytes_max: int) -> Any:
        base = self._base_url_template.replace("{domain}", channel.settings.domain)
        url = f"{base}/api/v2/{path}{'?' if query else ''}{urlencode(query)}"
        login = f"{channel.settings.email}:{channel.settings.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
        answer = await self._http.call(Call(WEBIM, "GET", url, headers, answer_bytes_max=bytes_max))
        return _body_of(answer, path)


def _body_of(answer: Answer, path: str) -> Any:
    """What it says, if it is what was asked for."""
    if answer.status != 200:
        raise _failure(answer, path)
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _unreadable(path) from None
    if isinstance(body, dict) and "error" in body:
        problem = f"its Stored Data API refuses {path}"
        raise ChannelRejectedError(WEBIM, problem=problem, status=answer.status, error=str(body["error"]))
    return body


def _failure(answer: Answer, path: str) -> ChannelError:
    """Source: specs/webim.md section 3.2.1, whose classes hold here as well."""
    status, what = answer.status, f"its Stored Data API answered {path} with status {answer.status}"
    if status in (401, 403):
        return ChannelAuthFailedError(WEBIM, problem=f"{what}: check the channel's email and password")
    if status == 429:
        asked = answer.headers.get("retry-after", "")
        return ChannelThrottledError(WEBIM, retry_after_s=float(asked) if asked.isdecimal() else AGAIN_S)
    if status >= 500:
        return ChannelAwayError(WEBIM, problem=what)
    error = ChatGoneError if status == 404 and path == "chat" else ChannelRejectedError
    return error(WEBIM, problem=what, status=status)


def _unreadable(path: str) -> ChannelAnswerError:
    return ChannelAnswerError(WEBIM, problem=f"its Stored Data API answered {path} in a form that is not the known one")
