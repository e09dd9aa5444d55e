"""Pure: what an answer of giosg's means.

Source: specs/giosg.md section 3.14.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from broker.domain.wire import Wire
from broker.errors import (
    AnswerIncompleteError,
    AnswerUnreadableError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChatGoneError,
    CredentialsRefusedError,
    RoomUnknownError,
    VisitorTokenRefusedError,
)
from broker.runtime.outbound_http import Answer
from workers.giosg.calls.request import CallName, Request
from workers.giosg.connections.connection import HIDDEN

NOT_DONE = frozenset((502, 503))
"""Said by whatever stands in front of giosg, or by a giosg that takes nothing: what was asked was not done."""
TOO_MANY = 429
ASKED_WAIT_S_MAX = 60.0
OF_A_ROOM: frozenset[CallName] = frozenset(("room", "enter_room"))
OF_A_CHAT: frozenset[CallName] = frozenset(("chat", "send", "messages", "message", "memberships", "participate", "end"))

Model = TypeVar("Model", bound=Wire)


def failure_of(to: str, request: Request, answer: Answer, secrets: Iterable[str]) -> ChannelError | None:
    """What an answer says against the call, None if it was done. ``secrets`` are kept out of giosg's own words."""
    status = answer.status
    if 200 <= status < 300:
        return None
    what = f"it answered with status {status}"
    if status == TOO_MANY:
        return ChannelThrottledError(to, retry_after_s=asked_wait_s(answer))
    if status >= 500:
        return (ChannelError if status in NOT_DONE else ChannelSilentError)(to, problem=what)
    if (refused := _credential_failure(to, request, status)) is not None:
        return refused
    kind = ChannelRejectedError
    if status == 404:
        kind = _gone(request.name)
        what = f"{what}: {'the room' if kind is RoomUnknownError else 'what it is about'} is not there"
    return kind(to, problem=what, status=status, error=str(status), desc=words_of(answer, secrets))


def _credential_failure(to: str, request: Request, status: int) -> ChannelError | None:
    if status == 401 and request.scheme == "Bearer":
        return VisitorTokenRefusedError(to)
    if request.scheme != "Token" or status not in (401, 403):
        return None
    if status == 401:
        problem = "it does not take the API token: it was revoked, or the user who made it was deleted"
    else:
        problem = "the API token may not do that: its user lacks the permission, or the organization is another"
    return CredentialsRefusedError(to, status=status, problem=problem)


def _gone(name: CallName) -> type[ChannelRejectedError]:
    if name in OF_A_ROOM:
        return RoomUnknownError
    return ChatGoneError if name in OF_A_CHAT else ChannelRejectedError


def parsed(to: str, request: Request, answer: Answer) -> Any:
    """The JSON of an answer.

    Raises:
        AnswerUnreadableError: it is none.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        problem = f"{len(answer.body)} bytes that are no JSON"
        raise AnswerUnreadableError(to, field="body", problem=problem, is_done=request.is_once) from None


def read(model: type[Model], value: Any, *, to: str, is_done: bool = False) -> Model:
    """A resource as its model.

    Raises:
        AnswerIncompleteError: a field is missing, or is not what it should be.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        problem = f"field {field!r}: {first['msg'].lower()}"
        raise AnswerIncompleteError(to, field=field, problem=problem, is_done=is_done) from None


def words_of(answer: Answer, secrets: Iterable[str]) -> str:
    """What giosg says about a refusal, for an operator; secrets are blotted out."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        text = answer.body.decode(errors="replace")
    else:
        detail = body.get("detail") if isinstance(body, dict) else None
        text = detail if isinstance(detail, str) else json.dumps(body, ensure_ascii=False)
    for secret in secrets:
        text = text.replace(secret, HIDDEN) if secret else text
    return " ".join(text.split())


def asked_wait_s(answer: Answer, *, now: datetime | None = None) -> float:
    """For how long giosg wants to be left alone, as ``Retry-After`` has it: seconds, or a date; 0: it does not say."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), ASKED_WAIT_S_MAX)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    wait_s = (until - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, min(wait_s, ASKED_WAIT_S_MAX))
