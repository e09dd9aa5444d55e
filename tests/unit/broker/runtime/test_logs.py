"""Logs: one JSON object a line in a pipe, readable on a terminal, libraries included."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from broker.runtime.logs import configure_logging


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_pipe_gets_one_json_object_a_line() -> None:
    out = io.StringIO()
    configure_logging("info", stream=out)
    structlog.get_logger().info("link_set", epoch=7)
    line = json.loads(out.getvalue())
    assert (line["event"], line["epoch"], line["level"]) == ("link_set", 7, "info")
    assert line["timestamp"].endswith("Z")


def test_a_terminal_gets_no_json() -> None:
    out = Terminal()
    configure_logging("info", stream=out)
    structlog.get_logger().info("link_set")
    assert "link_set" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_less_than_the_level_is_not_written() -> None:
    out = io.StringIO()
    configure_logging("warning", stream=out)
    structlog.get_logger().info("link_set")
    assert out.getvalue() == ""


def test_what_a_library_logs_has_the_same_form() -> None:
    out = io.StringIO()
    configure_logging("debug", stream=out)
    logging.getLogger("somewhere").warning("trouble")
    logging.getLogger("somewhere").debug("a payload, perhaps")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"]) == ("trouble", "warning")


def test_bound_facts_are_in_every_line() -> None:
    out = io.StringIO()
    configure_logging("info", stream=out)
    with structlog.contextvars.bound_contextvars(sequence=3):
        structlog.get_logger().info("link_set")
    assert json.loads(out.getvalue())["sequence"] == 3


def test_a_reader_who_is_gone_costs_the_lines_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        configure_logging("info", stream=out)
        for number in range(3):
            structlog.get_logger().info("link_set", epoch=number)
            logging.getLogger("somewhere").warning("trouble")
