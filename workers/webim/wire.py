"""Webim's calls before anything is made of them: strict JSON, and every way in which a call is refused.

Source: specs/webim.md sections 3.1 and 6.1.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from pydantic import JsonValue

from broker.codec import EVENT_DEPTH_MAX
from broker.errors import CallRefusedError

BODY_BYTES_MAX = 1 << 20
NESTING_MAX = 64
CARRIED_NESTING_MAX = EVENT_DEPTH_MAX - 4
"""Of a call's body inside an event, where it stands four levels deep already."""
INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 64) - 1
"""What msgpack has a form for."""
REPLACEMENT = "\ufffd"

HALVES = re.compile("[\ud800-\udfff]")
"""Halves of a character: JSON can spell one alone, UTF-8 cannot."""

Json = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a refused call is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


REFUSALS: Mapping[str, Refusal] = {
    "method_not_allowed": Refusal(405, {"Allow": "POST"}),
    "unknown_channel": Refusal(404),
    "unauthorized": Refusal(401, {"WWW-Authenticate": 'Basic realm="webim", charset="UTF-8"'}),
    "unknown_handler": Refusal(404),
    "payload_too_large": Refusal(413),
    "unsupported_media_type": Refusal(415),
    "unsupported_bot_api_version": Refusal(404),
    "bot_api_v2_not_configured": Refusal(404),
    "invalid_json": Refusal(400),
    "invalid_body": Refusal(400),
    "bad_event": Refusal(400),
    "channel_not_deployed": Refusal(503, {"Retry-After": "30"}),
    "bad_chat_id": Refusal(400),
    "bad_visitor": Refusal(400),
    "bad_messages": Refusal(400),
    "bad_message": Refusal(400),
    "backbone_unavailable": Refusal(503, {"Retry-After": "5"}),
    "internal": Refusal(500),
}
"""Every refusal, in the order of the checks: the first that fails answers, and nothing is published for any.

Source: specs/webim.md section 6.1.
"""


def read_object(data: bytes) -> Json:
    """The body of a call; of a repeated key the last value wins.

    Raises:
        CallRefusedError: ``invalid_json`` or ``invalid_body``.
    """
    try:
        body = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CallRefusedError("invalid_json", f"the body is no JSON in UTF-8 ({_place(error)})") from None
    if _is_deeper(body, NESTING_MAX):
        raise CallRefusedError("invalid_json", f"the body is nested deeper than {NESTING_MAX} levels")
    if not isinstance(body, dict):
        raise CallRefusedError("invalid_body", "the body must be a JSON object")
    return body


def as_carried(value: JsonValue, levels: int = CARRIED_NESTING_MAX) -> JsonValue:
    """The same, as the bus can carry it.

    Halves of characters become the sign for what is unreadable, numbers beyond 64 bits their digits, and what is
    nested deeper than ``levels`` its JSON as text.
    """
    match value:
        case str():
            return HALVES.sub(REPLACEMENT, value)
        case int() if not INTEGER_MIN <= value <= INTEGER_MAX:
            return str(value)
        case dict() | list() if levels == 0:
            return json.dumps(as_carried(value, NESTING_MAX), ensure_ascii=False)
        case dict():
            return {HALVES.sub(REPLACEMENT, key): as_carried(member, levels - 1) for key, member in value.items()}
        case list():
            return [as_carried(member, levels - 1) for member in value]
        case _:
            return value


def _is_deeper(value: JsonValue, levels: int) -> bool:
    """Whether objects and lists stand inside one another on more levels than these."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        members = [member for each in level for member in (each.values() if isinstance(each, dict) else each)]
        level = [member for member in members if isinstance(member, dict | list)]
    return bool(level)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _place(error: Exception) -> str:
    """Where it broke, never what stood there."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return type(error).__name__
