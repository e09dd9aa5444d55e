"""Bodies to bytes and back: msgpack is written, msgpack and JSON are read; nothing else imports msgpack."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import msgpack

from broker.domain.wire import Body
from broker.errors import BodyTooLargeError, UndecodableBodyError, UnencodableBodyError

MSGPACK = "application/msgpack"
JSON = "application/json"

BODY_BYTES_MAX = 1_000_000
"""A little under the server's 1 MiB, which also counts the headers."""
DEPTH_MAX = 64
"""Maps and lists inside one another: deeper ones break the libraries that read them, each at another depth."""
EVENT_DEPTH_MAX = DEPTH_MAX - 4
"""Of an event: runs and transcripts wrap it, and must be readable too."""

_TEXT_ALONE = frozenset((str,))
_CONTAINERS = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
_ODD = bytes((*range(0xC4, 0xCC), *range(0xD4, 0xD9)))
_NO_CONTAINERS = bytes(set(range(256)) - set(_CONTAINERS))
_NOT_ODD = bytes(set(range(256)) - set(_ODD))


def encode(body: Mapping[str, Any]) -> bytes:
    """Msgpack, for the bus and the buckets.

    Raises:
        BodyTooLargeError: more than the bus carries.
        UnencodableBodyError: it holds something that msgpack has no form for, such as a date.
    """
    try:
        data: bytes = msgpack.packb(body)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnencodableBodyError(type(error).__name__) from error
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError("body", len(data), bytes_max=BODY_BYTES_MAX)
    return data


def decode(data: bytes, *, depth_max: int = DEPTH_MAX) -> Body:
    """Read either form: a msgpack map never begins with ``{``, so the first byte tells.

    What is let in can be sent on, and shown as JSON (bytes as text): text keys, finite numbers, a bounded depth.

    Raises:
        BodyTooLargeError: more than the bus carries.
        UndecodableBodyError: it is neither, or not such a map; trying again cannot help.
    """
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError("body", len(data), bytes_max=BODY_BYTES_MAX)
    is_json = _is_json(data)
    try:
        body = _from_json(data) if is_json else msgpack.unpackb(data, ext_hook=_no_extension)
    except (ValueError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise UndecodableBodyError(len(data), type(error).__name__) from error
    if not isinstance(body, dict):
        raise UndecodableBodyError(len(data), f"found a {type(body).__name__}")
    if (is_json or not _is_plain(data, depth_max)) and (problem := _problem(body, depth_max)):
        raise UndecodableBodyError(len(data), problem)
    return body


def content_type(data: bytes) -> str:
    """The media type that ``decode`` would read these bytes as."""
    return JSON if _is_json(data) else MSGPACK


def to_json(body: Mapping[str, Any]) -> str:
    """One line for people and pipes; bytes inside are shown as text where they are text."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_bytes_as_text)


def _is_json(data: bytes) -> bool:
    return data[:1] == b"{" or (data[:1].isspace() and data.lstrip()[:1] == b"{")


def _from_json(data: bytes) -> Any:
    """JSON knows greater numbers than msgpack, and halves of characters: packing tells whether it can be sent on."""
    body = json.loads(data, parse_constant=_no_constant)
    msgpack.packb(body)
    return body


def _is_plain(data: bytes, depth_max: int) -> bool:
    """Whether msgpack can hold nothing here that has to be looked for, told by its bytes alone.

    No numbers with a fraction, no bytes, no dates, and no more maps and lists than levels are allowed. Text holds such
    bytes by chance, beyond ASCII: then the body is looked through.

    Source: the msgpack specification, section "Formats", read 2026-11-21.
    """
    return len(data.translate(None, _NO_CONTAINERS)) <= depth_max and not data.translate(None, _NOT_ODD)


def _problem(body: Body, depth_max: int) -> str | None:
    """What keeps the body from being sent on and shown, None if nothing does."""
    level: list[Any] = [body]
    for _ in range(depth_max):
        below: list[Any] = []
        for container in level:
            if type(container) is dict and not _TEXT_ALONE.issuperset(map(type, container)):
                return "found a key that is no text"
            if not _all_sendable(container.values() if type(container) is dict else container, below):
                return "found a date, or a number that is not finite"
        if not below:
            return None
        level = below
    return f"found more than {depth_max} levels"


def _all_sendable(values: Iterable[object], below: list[Any]) -> bool:
    """Whether all are; those that hold further values are added to ``below``."""
    for value in values:
        kind = type(value)
        if kind is dict or kind is list:
            below.append(value)
        elif kind is not str and _is_unsendable(value):
            return False
    return True


def _is_unsendable(value: object) -> bool:
    return isinstance(value, msgpack.Timestamp) or (isinstance(value, float) and not math.isfinite(value))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _no_extension(code: int, _data: bytes) -> NoReturn:
    message = f"extension type {code}"
    raise ValueError(message)


def _bytes_as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
