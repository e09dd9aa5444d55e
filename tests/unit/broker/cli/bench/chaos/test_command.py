"""`heimdall bench chaos`: what it tells, and that a violation is an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from broker.cli.bench.chaos import command
from broker.cli.bench.chaos.book import Book, Event, Rules
from broker.cli.bench.chaos.checker import check
from broker.cli.bench.chaos.play import Played
from broker.cli.bench.chaos.scenarios import SCENARIOS, Scenario
from broker.cli.main import main

MESSAGE = Event(1, 500, "id", "aaaaaaaa-0000-4000-8000-000000000000", "draftchat", "userdata")
LETTERLESS = Book((MESSAGE,), (), (), (), read_at_ms=9_000)
NOTHING = Book((), (), (), (), read_at_ms=9_000)


def played(scenario: Scenario, book: Book) -> Played:
    return Played(
        scenario=scenario,
        seed=1,
        took_s=1.0,
        kills=scenario.kills_in_all,
        garbage=0,
        settled=True,
        server_version="2.15.1",
        book=book,
        verdict=check(book, Rules()),
    )


def play_instead(monkeypatch: pytest.MonkeyPatch, book: Book, folders: list[Path]) -> None:
    """The scenarios themselves are played in tests/e2e/chaos."""

    async def play(scenario: Scenario, folder: Path, **_: Any) -> Played:
        folders.append(folder)
        return played(scenario, book)

    monkeypatch.setattr(command, "play", play)


@pytest.mark.parametrize(("book", "code", "lost"), [(NOTHING, 0, 0), (LETTERLESS, 1, 1)])
def test_a_violation_ends_with_exit_code_1_and_keeps_the_evidence(
    book: Book, code: int, lost: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders: list[Path] = []
    play_instead(monkeypatch, book, folders)
    assert main(["bench", "chaos", "--only", "server,twice", "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert [found["scenario"] for found in told["scenarios"]] == ["server", "twice"]
    assert [found["lost"] for found in told["scenarios"]] == [lost, lost]
    assert [len(found["examples"]) for found in told["scenarios"]] == [lost, lost]
    assert [folder.exists() for folder in folders] == [bool(lost)] * 2
    for folder in folders:
        if folder.exists():
            folder.rmdir()


def test_the_table_shows_every_fault_on_a_terminal_of_eighty_columns() -> None:
    table = command.table([played(scenario, NOTHING) for scenario in SCENARIOS])
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        console.print(table.lines(80))
    heading = shown.get().splitlines()[0]
    assert heading.split() == list(command.HEADINGS)


def test_an_unknown_scenario_is_told_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "chaos", "--only", "earthquake"]) == 1
    assert "expected one of workers, server, twice, garbage, cluster" in capsys.readouterr().err
