"""What the library logs while a command runs: a word on stderr where the person at the terminal should know."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from broker.cli.terminal import note

REPEATED = "connection_error_reported"
"""Says the same as connection_lost, with a system error number."""
RESTORED = "connection_restored"


def quiet_logs() -> None:
    """Send the library's warnings to the person at the terminal, and of what is below them only the all-clear."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, _as_sentence],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_NoteLogger,
        cache_logger_on_first_use=False,
    )


class _NoteLogger:
    """Takes what the processor made of a log call."""

    def __init__(self, *_arguments: object) -> None:
        self.info = self.warning = self.error = self.critical = self.msg = note


def _as_sentence(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``connection_lost url=...`` as ``connection lost: url=...``."""
    name = str(event.pop("event", ""))
    if name == REPEATED or (event.pop("level") == "info" and name != RESTORED):
        raise structlog.DropEvent
    event.pop("exc_info", None)
    facts = " ".join(f"{key}={value}" for key, value in event.items())
    sentence = name.replace("_", " ")
    return f"{sentence}: {facts}" if facts else sentence
