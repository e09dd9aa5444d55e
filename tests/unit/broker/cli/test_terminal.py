from __future__ import annotations

import json

import pytest
from rich.console import Console
from rich.text import Text

from broker.cli.terminal import Columns, Terminal, duration, one_line, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("päivää, 你好 😀", "päivää, 你好 😀", id="ordinary text passes"),
        pytest.param("\x1b[2J", "\\u001b[2J", id="an escape sequence cannot clear the screen"),
        pytest.param("a\u202eb", "a\\u202eb", id="a bidi override cannot turn the line round"),
        pytest.param("\ud800", "\\ud800", id="half a surrogate pair cannot break the output"),
        pytest.param("\U000e0001", "\\udb40\\udc01", id="a tag character far out is two escapes, as JSON has it"),
        pytest.param("👩\u200d🚀", "👩\u200d🚀", id="a joined emoji stays whole"),
        pytest.param("1\u00a0000", "1\u00a0000", id="a no-break space is a space"),
    ],
)
def test_what_could_steer_a_terminal_is_written_out(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_json_line_made_printable_means_the_same() -> None:
    value = {"text": "\x85\u2028\u202e\U000e0001 ok"}
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


def test_lines_and_tabs_become_one_blank() -> None:
    assert one_line("a\r\n\tb") == "a b"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(-5, "00:00:00", id="never below zero"),
        pytest.param(59.9, "00:00:59", id="falling, so cut and not rounded"),
        pytest.param(86_399, "23:59:59", id="a second before a day"),
        pytest.param(86_400 * 30, "30 d 00:00:00", id="days in front"),
    ],
)
def test_a_time_span_reads_as_a_clock(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def lines_of(columns: Columns, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(columns.lines(width))
    return captured.get().splitlines()


def test_only_the_flexible_column_gives_way_and_no_line_is_wrapped() -> None:
    columns = Columns("stub", "data", "left", flexible="data")
    columns.add("demo.2024-11-11-ABCD", "x" * 100, "23:59:59")
    lines = lines_of(columns, 60)
    assert len(lines) == 2
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].startswith("demo.2024-11-11-ABCD  xxx")
    assert lines[1].endswith("…  23:59:59")


def test_a_column_that_must_be_read_keeps_its_width_and_the_last_ones_are_cut() -> None:
    columns = Columns("stub", "hours", flexible="stub", width_min=20)
    columns.add("demo.2026-11-21-ABCD", "24")
    assert lines_of(columns, 22)[1] == "demo.2026-11-21-ABCD …"


def test_a_narrow_terminal_cuts_the_line() -> None:
    columns = Columns("stub", "data", flexible="data")
    columns.add("demo.2024-11-11-ABCD", "some data")
    assert all(len(line) <= 20 for line in lines_of(columns, 20))


def test_a_record_over_several_lines_cannot_steer_the_terminal_either() -> None:
    terminal = Terminal()
    value = {"text": "\x9b31m \u202e \x1b[2J päivää", "list": [1]}
    with terminal.console.capture() as captured:
        terminal.json(value)
    shown = captured.get()
    assert not {"\x9b", "\u202e", "\x1b"} & set(shown)
    assert json.loads(shown) == value
    assert "päivää" in shown


def test_a_long_text_goes_on_below_its_own_beginning_and_nothing_is_cut() -> None:
    terminal = Terminal()
    terminal.console = Console(width=30, color_system=None, soft_wrap=True)
    with terminal.console.capture() as captured:
        terminal.hanging(Text("12:00 visitor  "), Text("opens a chat and says nothing"))
    assert captured.get().splitlines() == [
        "12:00 visitor  opens a chat",
        "               and says",
        "               nothing",
    ]
