"""`heimdall bench`, in its short form: it runs, and it finds what is broken; never a time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from broker.cli.bench.contestants import peer
from tests.conftest import TIME_FACTOR

WAIT_S = 90.0


async def bench(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object, and what was said beside it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker.cli", "bench", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    async with asyncio.timeout(WAIT_S * TIME_FACTOR):
        out, err = await process.communicate()
    return int(process.returncode or 0), json.loads(out) if out else {}, err.decode()


@pytest.mark.parametrize("form", [pytest.param((), id="stored before"), pytest.param(("--live",), id="live")])
async def test_route_measures_every_contestant_and_finds_nothing_broken(form: tuple[str, ...]) -> None:
    code, said, beside = await bench("route", "--quick", *form)
    assert (code, said["violations"]) == (0, []), beside
    assert {"ours", "bare", "faststream", "ours_to_bare", "ours_to_faststream"} == set(said["figures"])
    assert {"cores", "memory", "python", "uvloop", "nats-server", "nats-py"} <= set(said["machine"])


async def test_an_unknown_contestant_is_refused_with_the_known_ones() -> None:
    code, _, beside = await bench("route", "--against", "kafka")
    assert code == 1
    assert "ours, bare, faststream" in beside


def test_a_peers_link_reads_as_it_was_written() -> None:
    link = peer.Link("stubber.systems.stubs.x", 1_700_000_000_000, 12)
    assert peer.Link.load(link.dump()) == link
