"""JSON from outside systems: read strictly, and made such that the bus can carry it. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from pydantic import JsonValue

from broker.errors import CallRefusedError

NESTING_MAX = 64
INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 64) - 1
"""What msgpack has a form for."""
REPLACEMENT = "\ufffd"

HALVES = re.compile("[\ud800-\udfff]")
"""Halves of a character: JSON can spell one alone, UTF-8 cannot."""

Json = dict[str, JsonValue]


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


def as_carried(value: JsonValue, levels: int) -> JsonValue:
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
