"""`heimdall bench`, in its short form: it runs, and it finds what is broken; never a time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.cli.bench import contests, turns
from broker.cli.bench.contestants import peer
from tests.conftest import TIME_FACTOR, poll
from tests.integration.cli.conftest import Cli

WAIT_S = 90.0


async def started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """`heimdall bench` as a child process, which hears Ctrl-C even where a shell has us ignore it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "broker.cli", "bench", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
    finally:
        signal.signal(signal.SIGINT, before)


async def bench(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object, and what was said beside it."""
    process = await started(*arguments)
    async with asyncio.timeout(WAIT_S * TIME_FACTOR):
        out, err = await process.communicate()
    return int(process.returncode or 0), json.loads(out) if out else {}, err.decode()


@pytest.mark.parametrize(
    ("arguments", "figures"),
    [
        pytest.param(
            ("route",),
            {"ours", "bare", "faststream", "ours_to_bare", "ours_to_faststream"},
            id="route, stored before",
        ),
        pytest.param(("route", "--live", "--against", "bare"), {"ours", "bare", "ours_to_bare"}, id="route, live"),
        pytest.param(("latency",), {"ours", "bare", "p99_ours_to_bare"}, id="latency"),
        pytest.param(("expiry", "--workers", "2"), {"spread", "burst", "armed_per_s", "linked_per_s"}, id="expiry"),
        pytest.param(
            ("growth",),
            {"few", "many_same_active", "many_all_active", "ratio_same_active", "ratio_all_active"},
            id="growth",
        ),
    ],
)
async def test_a_benchmark_measures_and_finds_nothing_broken(arguments: tuple[str, ...], figures: set[str]) -> None:
    code, said, beside = await bench(*arguments, "--quick")
    assert (code, said["violations"]) == (0, []), beside
    assert set(said["figures"]) == figures
    assert {"cores", "memory", "processor", "python", "uvloop", "nats-server", "nats-py"} <= set(said["machine"])


async def test_a_peer_that_loses_doubles_and_reorders_is_found_out_and_there_is_no_figure(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(contests.MODULES, contests.BARE, "tests.bench.broken_peer")
    monkeypatch.setattr("broker.cli.bench.stage.STALLED_AFTER_S", 3.0)
    ended = await cli("bench", "route", "--quick", "--against", "bare")
    assert ended.code == 1
    [said] = ended.records
    assert said["violations"] == ["bare, turn 1: 20 lost", "bare, turn 1: 20 doubled", "bare, turn 1: 20 reordered"]
    assert "figures" not in said
    assert "bars" not in said


async def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    process = await started("route", "--msgs", "200000", TMPDIR=str(tmp_path))
    await poll(lambda: list(tmp_path.glob("heimdall-bench-*/linker.log")), within_s=20)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20 * TIME_FACTOR):
        await process.communicate()
    assert process.returncode == 130
    assert _left_behind(tmp_path) == []


def _left_behind(folder: Path) -> list[Path]:
    """Folders of a benchmark, and processes that name one."""
    processes = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if _names(entry, str(folder))]
    return [*folder.glob("heimdall-bench-*"), *processes]


def _names(entry: Path, text: str) -> bool:
    try:
        return text in entry.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


async def test_an_unknown_contestant_is_refused_with_the_known_ones() -> None:
    code, _, beside = await bench("route", "--against", "kafka")
    assert code == 1
    assert "ours, bare, faststream" in beside


def test_a_peers_link_reads_as_it_was_written() -> None:
    link = peer.Link("stubber.systems.stubs.x", 1_700_000_000_000, 12)
    assert peer.Link.load(link.dump()) == link


def test_the_rate_is_that_of_the_outputs_after_the_warm_up() -> None:
    assert turns.rate_of([], 0) == 0.0
