"""Bodies to bytes and back: msgpack is written, msgpack and JSON are read; nothing else imports msgpack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgpack

from broker.domain.wire import Body
from broker.errors import BodyTooLargeError, UndecodableBodyError

MSGPACK = "application/msgpack"
JSON = "application/json"

BODY_BYTES_MAX = 1_000_000
"""A little under the server's 1 MiB, which also counts the headers."""


def encode(body: Mapping[str, Any]) -> bytes:
    """Msgpack, for the bus and the buckets.

    Raises:
        BodyTooLargeError: more than the bus carries.
    """
    data: bytes = msgpack.packb(body)
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError("body", len(data), bytes_max=BODY_BYTES_MAX)
    return data


def decode(data: bytes) -> Body:
    """Read either form: a msgpack map never begins with ``{``, so the first byte tells.

    Raises:
        UndecodableBodyError: it is neither, or not a map; trying again cannot help.
    """
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError("body", len(data), bytes_max=BODY_BYTES_MAX)
    try:
        body = _from_json(data) if data.lstrip()[:1] == b"{" else msgpack.unpackb(data, ext_hook=_no_extension)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise UndecodableBodyError(len(data), type(error).__name__) from error
    if not isinstance(body, dict):
        raise UndecodableBodyError(len(data), f"found a {type(body).__name__}")
    return body


def content_type(data: bytes) -> str:
    """The media type that ``decode`` would read these bytes as."""
    return JSON if data.lstrip()[:1] == b"{" else MSGPACK


def to_json(body: Mapping[str, Any]) -> str:
    """One line for people and pipes; bytes inside are shown as text where they are text."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_bytes_as_text)


def _from_json(data: bytes) -> Any:
    return json.loads(data, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _no_extension(code: int, _data: bytes) -> NoReturn:
    message = f"extension type {code}"
    raise ValueError(message)


def _bytes_as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
