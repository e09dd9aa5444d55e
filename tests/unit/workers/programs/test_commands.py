"""Commands are bounded in time and output, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.conftest import poll
from workers.programs.commands import run


async def say(script: str, folder: Path, *, limit_s: float = 20.0, output_bytes_max: int = 1_000) -> tuple[object, ...]:
    done = await run(
        ("sh", "-c", script),
        folder=folder,
        environment={"PATH": os.environ["PATH"]},
        limit_s=limit_s,
        given=b"given",
        output_bytes_max=output_bytes_max,
    )
    return done.status, done.output, done.said


async def test_a_command_is_given_its_input_and_both_its_outputs_are_told(tmp_path: Path) -> None:
    assert await say("cat; echo no >&2; exit 3", tmp_path) == (3, "given", "no\n")


async def test_of_much_output_the_end_is_kept(tmp_path: Path) -> None:
    assert await say("seq 1 100000", tmp_path, output_bytes_max=14) == (0, "\n99999\n100000\n", "")


async def test_at_the_limit_the_command_and_all_that_it_started_are_killed(tmp_path: Path) -> None:
    found = await say("sleep 60 & echo $!; sleep 60", tmp_path, limit_s=0.3)
    assert found[0] is None
    await poll(lambda: not _lives(int(str(found[1]))))


async def test_what_a_command_leaves_running_is_killed_when_it_is_cancelled(tmp_path: Path) -> None:
    task = asyncio.create_task(say("echo $$ > pid; sleep 60", tmp_path))
    await poll(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    await poll(lambda: not _lives(int((tmp_path / "pid").read_text())))


def _lives(pid: int) -> bool:
    """A process that has ended and is not collected yet does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
