"""Every run has an end: done, or a dead letter that says why, and its neighbours go on."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from broker import Run, Service
from broker.codec import decode
from broker.domain import headers as names
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection
from tests.conftest import TIME_FACTOR, Eventually
from tests.integration.runtime.serving import serving, unserved

NEVER_S = 3_600


async def test_a_run_that_does_not_finish_in_time_is_tried_again_and_then_a_dead_letter(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    service, begun, done = Service("slowpoke"), list[str](), list[str]()

    @service.action("hang")
    async def hang(run: Run) -> None:
        begun.append(run.message)
        await asyncio.sleep(NEVER_S)

    @service.action("go")
    async def go(run: Run) -> None:
        done.append(run.message)

    async with serving(service, server.url, org, run_limit_s=0.1) as served:
        stub, other = await served.stub("one"), await served.stub("two")
        sequence = await served.send(stub, "hang", "h")
        await served.send(stub, "go", "behind")
        await served.send(other, "go", "beside")
        await eventually(lambda: sorted(done) == ["behind", "beside"], within_s=10)
        [letter] = await served.dead()
    assert (letter.content.reason, letter.content.attempts, letter.content.sequence) == ("run_timed_out", 3, sequence)
    assert begun == ["h", "h", "h"]
    assert done == ["beside", "behind"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param("0.05", "run_timed_out", id="shorter than the service's"),
        pytest.param("never", None, id="what is no number counts as none"),
        pytest.param("-1", None, id="nor does what can never be kept"),
    ],
)
async def test_a_run_may_bring_its_own_time_limit(
    server: EmbeddedServer, org: str, eventually: Eventually, limit: str, expected: str | None
) -> None:
    service, done = Service("slowpoke"), list[str]()

    @service.action("doze")
    async def doze(run: Run) -> None:
        await asyncio.sleep(0.3)
        done.append(run.message)

    async with serving(service, server.url, org, run_attempts_max=1) as served:
        stub = await served.stub("one")
        await served.send(stub, "doze", "it", {names.TIME_LIMIT: limit})

        async def ended() -> bool:
            return bool(done or await served.dead())

        await eventually(ended, within_s=10)
        assert [letter.content.reason for letter in await served.dead()] == ([] if expected is None else [expected])


async def test_an_action_s_own_timeout_is_its_own_fault(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    service = Service("slowpoke")

    @service.action("ask")
    async def ask(run: Run) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(NEVER_S)

    async with serving(service, server.url, org) as served:
        await served.send(await served.stub("one"), "ask")

        async def dead() -> bool:
            return [letter.content.reason for letter in await served.dead()] == ["worker_fault"]

        await eventually(dead)


async def test_a_run_for_a_closed_stub_is_a_dead_letter(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    service = Service("closer")

    @service.action("go")
    async def go(run: Run) -> None:
        raise AssertionError

    async with serving(service, server.url, org) as served:
        await served.send(await served.stub("one", closed=True), "go")

        async def dead() -> bool:
            return [letter.content.reason for letter in await served.dead()] == ["stub_closed"]

        await eventually(dead)


async def test_the_result_of_a_run_goes_to_whoever_asked_for_it(
    server: EmbeddedServer, connection: Connection, org: str, eventually: Eventually
) -> None:
    service, heard = Service("teller"), list[dict[str, Any]]()

    @service.action("add")
    async def add(run: Run) -> int:
        return len(run.message)

    @service.action("fail")
    async def fail(run: Run) -> None:
        raise KeyError(run.message)

    @service.action("mumble")
    async def mumble(run: Run) -> object:
        return object()

    async def hear(message: Msg) -> None:
        heard.append(decode(message.data))

    inbox = connection.new_inbox()
    await connection.subscribe(f"{inbox}.>", hear)
    await connection.subscribe(f"elsewhere.{org}", hear)
    async with serving(service, server.url, org) as served:
        stub = await served.stub("one")
        await served.send(stub, "add", "four", {names.REPLY: f"elsewhere.{org}"})
        await served.send(stub, "add", "four", {names.REPLY: f"{inbox}.1"})
        await served.send(stub, "fail", "x", {names.REPLY: f"{inbox}.1"})
        await served.send(stub, "mumble", "x", {names.REPLY: f"{inbox}.1"})
        await eventually(lambda: len(heard) == 3)
    assert [(told["stub"], told["action"]) for told in heard] == [
        ("teller.one", "add"),
        ("teller.one", "fail"),
        ("teller.one", "mumble"),
    ]
    assert heard[0]["result"] == 4
    assert heard[1]["error"] == {"code": "worker_fault", "message": "the action failed with KeyError"}
    assert heard[2]["error"]["code"] == "unencodable"


async def test_a_run_that_was_set_aside_is_not_run_again_when_all_comes_again(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    """The floor of the consumer stands below a run that hangs: whoever takes it gets everything behind it again."""
    service, begun = Service("again"), list[str]()

    @service.action("hang")
    async def hang(run: Run) -> None:
        await asyncio.sleep(NEVER_S)

    @service.action("fail")
    async def fail(run: Run) -> None:
        begun.append(run.message)
        raise KeyError

    @service.action("go")
    async def go(run: Run) -> None:
        begun.append(run.message)

    async with serving(service, server.url, org, run_limit_s=NEVER_S) as served:
        hanging, failing = await served.stub("one"), await served.stub("two")
        await served.send(hanging, "hang")
        await served.send(failing, "fail", "failed")

        async def is_noted() -> bool:
            record, _ = await served.bus.load(failing)
            return record is not None and record.last_sequence > 0

        await eventually(is_noted)
    async with serving(service, server.url, org, run_limit_s=NEVER_S) as served:
        await served.send(failing, "go", "went")
        await eventually(lambda: begun[-1] == "went")
        assert [letter.content.reason for letter in await served.dead()] == ["worker_fault"]
    assert begun == ["failed", "went"]


async def test_a_run_that_an_orderly_stop_cuts_off_is_not_blamed(
    server: EmbeddedServer, org: str, eventually: Eventually
) -> None:
    service, begun, gate = Service("patient"), list[str](), asyncio.Event()

    @service.action("wait")
    async def wait(run: Run) -> None:
        begun.append(run.message)
        await gate.wait()

    async with unserved(service, server.url, org) as place:
        await place.send(await place.stub("one"), "wait")
    for number in (1, 2):
        async with serving(service, server.url, org, run_limit_s=NEVER_S, run_attempts_max=1):
            await eventually(lambda number=number: len(begun) == number)
    gate.set()
    async with serving(service, server.url, org, run_limit_s=NEVER_S, run_attempts_max=1) as served:

        async def is_done() -> bool:
            return len(begun) == 3 and await served.unsettled() == 0

        await eventually(is_done)
        assert await served.dead() == []
    assert len(begun) == 3


KILLER = """
import asyncio, os
from broker import Run, Service, serve

service = Service("killer")

@service.action("end")
async def end(run: Run) -> None:
    await asyncio.sleep(0.2)
    os._exit(9)

@service.action("work")
async def work(run: Run) -> None:
    await asyncio.sleep(0.4)

serve(service)
"""


async def test_a_run_that_ends_its_process_each_time_ends_as_well_and_its_neighbours_are_innocent(
    tmp_path: Path, org: str
) -> None:
    async with nats_server(tmp_path) as own, unserved(Service("killer"), own.url, org) as killer:
        guilty = await killer.stub("guilty")
        killing = await killer.send(guilty, "end")
        for number in range(4):
            await killer.send(await killer.stub(f"innocent-{number}"), "work")
        await killer.send(guilty, "work")
        environment = {**os.environ, "HEIMDALL_NATS_URL": own.url, "HEIMDALL_KILLER_ORG": org}
        deaths, process = 0, await started(environment)
        try:
            async with asyncio.timeout(60 * TIME_FACTOR):
                while await killer.unsettled():
                    if process.returncode is not None:
                        deaths += 1
                        process = await started(environment)
                    await asyncio.sleep(0.05)
        finally:
            process.terminate()
            await process.wait()
        found = await killer.dead()
    assert [(letter.content.reason, letter.content.sequence) for letter in found] == [("run_abandoned", killing)]
    assert found[0].content.attempts == deaths == 3


async def started(environment: dict[str, str]) -> asyncio.subprocess.Process:
    root = str(Path(__file__).parents[3])
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLER),
        stdout=asyncio.subprocess.DEVNULL,
        env={**environment, "PYTHONPATH": root, "HEIMDALL_LOG_LEVEL": "error"},
    )
