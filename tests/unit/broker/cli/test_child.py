from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from broker.cli.bounded_log import BoundedLog
from broker.cli.child import Child, Plan, _as_warning, _how, _line
from broker.cli.dev_folder import DevFolder, running_nats_url
from broker.errors import DataFolderTakenError
from tests.conftest import Eventually


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param({"level": "info", "event": "worker_started"}, None, id="info stays in the file"),
        pytest.param(
            {"level": "error", "event": "event_dead_lettered", "timestamp": "t", "error_code": "unrouted"},
            "event dead lettered error_code=unrouted",
            id="an error is shown in one line",
        ),
        pytest.param({"level": "warning", "event": "connection_lost"}, None, id="what dev says itself"),
    ],
)
def test_warnings_of_a_worker_reach_the_terminal(text: dict[str, str], expected: str | None) -> None:
    assert _as_warning(json.dumps(text)) == expected


def test_what_is_no_log_line_is_not_taken_for_one() -> None:
    assert _as_warning("{ not json") is None
    assert _as_warning("Traceback (most recent call last):") is None


def test_the_way_a_process_ended_is_named() -> None:
    assert [_how(code) for code in (1, -9, -250)] == ["exit code 1", "by SIGKILL", "by signal 250"]


async def test_a_line_without_end_comes_in_pieces() -> None:
    stream = asyncio.StreamReader(limit=8)
    stream.feed_data(b"x" * 30 + b"\nlast")
    stream.feed_eof()
    pieces = []
    while piece := await _line(stream):
        pieces.append(piece)
    assert b"".join(pieces) == b"x" * 30 + b"\nlast"


def test_a_log_turns_over_at_its_bound_and_keeps_one_older_file(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "linker.log", bytes_max=10)
    for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
        log.write(line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["linker.log", "linker.log.1"]
    assert (tmp_path / "linker.log").read_bytes() == b"four\n"
    assert (tmp_path / "linker.log.1").read_bytes() == b"three\n"


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        DevFolder(tmp_path / "data").claimed(),
        pytest.raises(DataFolderTakenError),
        DevFolder(tmp_path / "data").claimed(),
    ):
        pass
    with DevFolder(tmp_path / "data").claimed():
        pass


def test_a_running_dev_is_found_from_a_folder_below(tmp_path: Path) -> None:
    folder, below = DevFolder(tmp_path / ".heimdall"), tmp_path / "a" / "b"
    below.mkdir(parents=True)
    with folder.claimed():
        assert running_nats_url(below) is None
        with folder.announced("nats://127.0.0.1:4333", "http://127.0.0.1:1/"):
            assert running_nats_url(below) == "nats://127.0.0.1:4333"
        assert running_nats_url(below) is None


def test_a_dev_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    (tmp_path / ".heimdall").mkdir()
    state = {"pid": 2**22 + 1, "nats_url": "nats://127.0.0.1:4333"}
    (tmp_path / ".heimdall" / "dev.json").write_text(json.dumps(state))
    assert running_nats_url(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="process groups and death signals")
async def test_a_worker_that_cannot_start_is_tried_again_more_and_more_slowly(
    tmp_path: Path, eventually: Eventually
) -> None:
    said: list[str] = []
    child = Child(Plan("nobody", {}), tmp_path, said.append)
    keeping = asyncio.create_task(child.keep_running())
    await eventually(lambda: len(said) >= 2, within_s=20)
    child.ask_to_stop()
    keeping.cancel()
    assert "nobody ended (exit code 1" in said[0]
    assert "No module named workers.nobody" in said[0]
    assert said[0].endswith("starting it again in 0.1 s")
    assert said[1].endswith("starting it again in 0.2 s")
