"""Turns what a command does, or why it cannot, into the bytes of its reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from broker.codec import encode
from broker.domain.wire import Body
from broker.errors import BackboneError, InvalidChannelError

log = structlog.get_logger()


async def reply_of(act: Callable[[], Awaitable[Body]], *, worker: str) -> bytes:
    """The encoded reply; a request that cannot be answered gets its error's code and sentence. Raises nothing."""
    try:
        return encode(await act())
    except InvalidChannelError as error:
        log.info("command_refused", error_code=error.code)
        return _error({"code": error.code, "message": str(error), "fields": error.fields, "hints": error.hints})
    except BackboneError as error:
        log.info("command_refused", error_code=error.code)
        return _error({"code": error.code, "message": str(error)})
    except Exception as error:  # noqa: BLE001 - a fault in one command must not end the service
        log.error("command_failed", error_code="worker_fault", error_type=type(error).__name__)
        message = f"the {worker} failed with {type(error).__name__}: see its log"
        return _error({"code": "worker_fault", "message": message})


def _error(problem: Body) -> bytes:
    return encode({"error": problem})
