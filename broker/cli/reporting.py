"""What the library logs while a command runs: warnings only, one plain line each, on stderr."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from broker.cli.terminal import note


def quiet_logs() -> None:
    """Send the library's warnings to the person at the terminal, and nothing below them."""
    structlog.configure(
        processors=[_as_sentence],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=_NoteLogger,
        cache_logger_on_first_use=False,
    )


class _NoteLogger:
    """Takes what the processor made of a log call."""

    def __init__(self, *_arguments: object) -> None:
        self.warning = self.error = self.critical = self.msg = note


def _as_sentence(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``connection_lost url=...`` as ``connection lost: url=...``."""
    name = str(event.pop("event", "")).replace("_", " ")
    event.pop("exc_info", None)
    facts = " ".join(f"{key}={value}" for key, value in event.items())
    return f"{name}: {facts}" if facts else name
