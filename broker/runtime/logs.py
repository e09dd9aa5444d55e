"""Structured logs on stdout: one JSON object a line, or colour on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import Processor


def configure_logging(level: str, *, stream: TextIO | None = None) -> None:
    """Call once, in main. What libraries say through ``logging`` comes out in the same form."""
    out = cast("TextIO", Lasting(stream or sys.stdout))  # it has what structlog and logging use of one
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(out)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(out)],
        )
    )
    # Their debug lines may quote what passes through them.
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)


class Lasting:
    """A stream that outlives its reader: with nobody there to read it a line is lost, and the work goes on.

    A log call is made anywhere, also between two steps that belong together, so it must never raise.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write, or lose it."""
        try:
            return self._out.write(text)
        except OSError as error:
            self._go_on(error)
            return len(text)

    def flush(self) -> None:
        """Hand over what was written, or lose it."""
        try:
            self._out.flush()
        except OSError as error:
            self._go_on(error)

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._out.isatty()

    def _go_on(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            return  # such as a full disk: there may be room again
        with Path(os.devnull).open("w") as nowhere:  # also for what is still in the stream's own buffer
            os.dup2(nowhere.fileno(), self._out.fileno())


def _rendering(out: TextIO) -> list[Processor]:
    if out.isatty():
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
