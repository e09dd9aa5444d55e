"""Where a command's result goes: coloured rows for people on a terminal, JSON lines in a pipe."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console, Group
from rich.highlighter import JSONHighlighter
from rich.json import JSON
from rich.text import Text

from broker.codec import to_json

_JOINER = "\u200d"
"""Holds the parts of one emoji together; harmless, though Unicode calls it a format character."""
COLUMN_GAP = 2
FLEXIBLE_WIDTH_MIN = 12
SECONDS_PER_DAY = 86_400
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

    def columns(self, columns: Columns) -> None:
        """Rows in columns for people."""
        self.console.print(columns.lines(self.console.width))

    def json(self, record: Mapping[str, Any]) -> None:
        """A record for people, over several lines."""
        # Only afterwards: rich reads the JSON and writes it anew, and would undo what was made harmless before.
        lines = JSON(to_json(record)).text.plain.split("\n")
        self.console.print(JSONHighlighter()("\n".join(map(printable, lines))), soft_wrap=True)

    def text(self, text: str | Text) -> None:
        """Something that is never cut, however long."""
        self.console.print(text, soft_wrap=True)

    def hanging(self, lead: Text, text: Text) -> None:
        """What is never cut either, but goes on below its own beginning, not below ``lead``."""
        lines = text.wrap(self.console, max(FLEXIBLE_WIDTH_MIN, self.console.width - lead.cell_len))
        for line in lines:
            line.rstrip()
        self.text(lead + Text(f"\n{' ' * lead.cell_len}").join(lines))


def note(text: str) -> None:
    """A remark beside the result, on stderr, so that pipes stay clean."""
    sys.stderr.write(f"heimdall: {printable(text)}\n")
    sys.stderr.flush()


class Columns:
    """Rows in columns, one line each: every column as wide as it needs, and one that gives way."""

    def __init__(self, *headings: str, flexible: str, width_min: int = FLEXIBLE_WIDTH_MIN) -> None:
        self._width_min = width_min
        self._flexible = headings.index(flexible)
        self._rows = [[Text(heading, "bold underline") for heading in headings]]

    def add(self, *cells: str | Text) -> None:
        """One row; plain strings are made harmless, a Text is the caller's to make so."""
        self._rows.append([Text(one_line(cell)) if isinstance(cell, str) else cell for cell in cells])

    def lines(self, width: int) -> Group:
        """The rows, cut to the width; the flexible column keeps a little even on a narrow terminal."""
        widths = [max(cell.cell_len for cell in column) for column in zip(*self._rows, strict=True)]
        spare = width - sum(widths) - COLUMN_GAP * (len(widths) - 1)
        needed = widths[self._flexible]
        widths[self._flexible] = max(min(needed, self._width_min), needed + min(0, spare))
        return Group(*(self._line(row, widths, width) for row in self._rows))

    @staticmethod
    def _line(row: list[Text], widths: list[int], width: int) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for place, (cell, cell_width) in enumerate(zip(row, widths, strict=True)):
            fitted = cell.copy()
            fitted.truncate(cell_width, overflow="ellipsis")
            line.append_text(fitted)
            if place < len(row) - 1:
                line.append(" " * (cell_width - fitted.cell_len + COLUMN_GAP))
        line.truncate(width, overflow="ellipsis")
        return line


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
    """A moment as the local calendar and clock show it; the year only where it is another one."""
    moment = datetime.fromtimestamp(at_ms / 1000).astimezone()
    this_year = moment.year == datetime.now().astimezone().year
    return moment.strftime("%d %b %H:%M:%S" if this_year else "%d %b %Y %H:%M:%S")


def duration(seconds: float) -> str:
    """A time span as a clock shows it, days in front."""
    whole = max(0, int(seconds))
    clock = f"{whole // 3_600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // SECONDS_PER_DAY} d {clock}" if whole >= SECONDS_PER_DAY else clock


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character == _JOINER or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    code = ord(character)
    if code < _WIDE_ESCAPE_FROM:
        return f"\\u{code:04x}"
    pair = character.encode("utf-16-be")
    return f"\\u{pair[:2].hex()}\\u{pair[2:].hex()}"
