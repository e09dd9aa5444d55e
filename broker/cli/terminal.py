"""Where a command's result goes: coloured rows for people on a terminal, JSON lines in a pipe."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.codec import to_json

_JOINER = "\u200d"
"""Holds the parts of one emoji together; harmless, though Unicode calls it a format character."""
_WIDE_ESCAPE_FROM = 0x10000


class Terminal:
    """The output of one command."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.console = Console(highlight=False, emoji=False, markup=False, soft_wrap=True)
        self.as_json = as_json or not self.console.is_terminal

    def record(self, record: Mapping[str, Any]) -> None:
        """One JSON line."""
        sys.stdout.write(printable(to_json(record)) + "\n")
        sys.stdout.flush()

    def row(self, text: Text) -> None:
        """One line for people, cut to the width of the terminal."""
        text.truncate(self.console.width, overflow="ellipsis")
        self.console.print(text, no_wrap=True, overflow="ellipsis")

    def aside(self, text: str) -> None:
        """What belongs to the row above, unobtrusive and never cut."""
        self.console.print(Text(f"    {printable(text)}", "dim"), soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table for people."""
        self.console.print(table)

    def text(self, text: str) -> None:
        """A result that is the same for people and pipes."""
        self.console.print(text)


def note(text: str) -> None:
    """A remark beside the result, on stderr, so that pipes stay clean."""
    sys.stderr.write(f"heimdall: {printable(text)}\n")
    sys.stderr.flush()


def table_of(*headings: str) -> Table:
    """An empty table in the one style that all commands use; the last column takes the room that is left."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    return table


def printable(text: str) -> str:
    r"""The text with every character that could steer a terminal written as ``\uXXXX``.

    Visitors choose what they write; a terminal must not obey it. The form is JSON's own, so a JSON line stays one.
    """
    return "".join(character if _is_harmless(character) else _escaped(character) for character in text)


def one_line(text: str) -> str:
    """The text on one line: line ends and tabs become one blank."""
    return printable(" ".join(text.split()))


def clock_time(at_ms: int) -> str:
    """A moment as the local clock shows it, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def date_and_time(at_ms: int) -> str:
    """A moment as the local calendar and clock show it."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """A time span as people say it: two units at most."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min {whole % 60:02d} s"
    return f"{whole} s"


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character == _JOINER or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    code = ord(character)
    if code < _WIDE_ESCAPE_FROM:
        return f"\\u{code:04x}"
    pair = character.encode("utf-16-be")
    return f"\\u{pair[:2].hex()}\\u{pair[2:].hex()}"
