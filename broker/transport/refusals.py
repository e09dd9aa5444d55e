"""What a stream's refusal of a message means: one error of ours for each kind of answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.errors import (
    BusError,
    ConflictError,
    InFlightError,
    PublishRefusedError,
    ServerOverloadedError,
    StreamFullError,
)

CONFLICT_CODES = frozenset((10071, 10164))
"""Wrong last sequence: for the subject, and where the server knows no sequence."""
FULL_CODES = frozenset((10002, 10028, 10047, 10077))
"""The account's limit; no storage left; no memory left; the stream could not store it: its own limit, or the disk's."""
OVERLOAD_CODES = frozenset((10023, 10167))
"""Insufficient resources; too many requests: the stream's queue of messages to store is full."""
IN_FLIGHT_CODE = 10158
"""Duplicate message id is in process: on a cluster alone, until the first one is stored or lost."""


def refusal(subject: str, problem: Mapping[str, Any]) -> BusError:
    """The error for the ``error`` of an acknowledgement.

    Source: nats-server ``server/errors.json``; nats-notes.md section 8.1.
    """
    err_code, detail = problem.get("err_code", 0), problem.get("description", "")
    if err_code in CONFLICT_CODES:
        return ConflictError(subject)
    if err_code in FULL_CODES:
        return StreamFullError(subject, detail=detail)
    if err_code in OVERLOAD_CODES:
        return ServerOverloadedError(subject, detail=detail)
    if err_code == IN_FLIGHT_CODE:
        return InFlightError(subject)
    return PublishRefusedError(subject, problem.get("code", 500), err_code, detail)
