"""The stand-in as a process, its reset, and what a console needs of its control plane."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import TIME_FACTOR
from tests.integration.standins.giosg.conftest import Endpoint, Visitor
from tests.standins.giosg_control import API_TOKEN, ROOM_ID, Giosg
from tests.standins.webim_control import NO_TLS

ROOT = Path(__file__).parents[4]
END_WAIT_S = 5.0
READ_WAIT_S = 5.0


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """The command, with the test's own options."""
    arguments = [sys.executable, "-m", "tests.standins.giosg", *getattr(request, "param", ())]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        yield started
        started.kill()


def ports_of(process: subprocess.Popen[bytes]) -> dict[str, int]:
    assert process.stdout is not None
    found: dict[str, int] = json.loads(process.stdout.readline())
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_ports_and_ends_on_a_signal_though_somebody_listens(
    process: subprocess.Popen[bytes], number: int
) -> None:
    control = f"http://127.0.0.1:{ports_of(process)['control_port']}"
    with httpx2.stream("GET", f"{control}/changes", trust_env=False, verify=NO_TLS) as changes:
        assert next(changes.iter_lines()).startswith("data: ")
        process.send_signal(number)
        assert process.wait(END_WAIT_S * TIME_FACTOR) == 0


@pytest.mark.parametrize("process", [("--with-stdin",)], indirect=True)
def test_it_ends_with_whoever_started_it(process: subprocess.Popen[bytes]) -> None:
    ports_of(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(END_WAIT_S * TIME_FACTOR) == 0


async def test_a_reset_leaves_nothing_and_begins_the_same_ids_anew(
    giosg: Giosg, visitor: Visitor, endpoint: Endpoint
) -> None:
    first = await visitor.arrive()
    await giosg.fault(status=503)
    await giosg.api_tokens()
    await giosg.room("closed")
    await giosg.clock(frozen=True, advance_ms=1)
    await giosg.webhooks(delay_ms=60_000)
    await giosg.foreign_chat(wait=False)
    await giosg.reset()
    state = await giosg.state()
    assert [state[name] for name in ("visitors", "chats", "faults", "calls", "deliveries")] == [[], [], [], [], []]
    assert state["configuration"]["webhooks"]["subscriptions"] == []
    await giosg.settle()
    assert (await visitor.organization("GET", f"/rooms/{ROOM_ID}")).json()["is_online"] is True
    assert await visitor.arrive() == first


async def test_the_records_hold_what_was_called(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    calls = await giosg.calls()
    assert [call.path.rpartition("/")[2] for call in calls] == ["auth", "visitors", "chats", "messages"]
    assert calls[0].headers.get("authorization") is None
    assert calls[3].headers["authorization"] == f"Bearer {visitor.token}"
    assert (calls[3].body["message"], calls[3].status) == ("Hello", 201)
    await visitor.organization("GET", f"/rooms/{ROOM_ID}")
    assert (await giosg.calls("/rooms/", method="GET"))[0].headers["authorization"] == f"Token {API_TOKEN}"


async def test_a_console_hears_at_once_that_something_happened(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    async with (
        httpx2.AsyncClient(
            base_url=giosg.control_url, trust_env=False, verify=NO_TLS, timeout=READ_WAIT_S * TIME_FACTOR
        ) as client,
        client.stream("GET", "/changes") as changes,
    ):
        assert changes.headers["content-type"].startswith("text/event-stream")
        lines = changes.aiter_lines()
        versions = [json.loads((await anext(lines)).removeprefix("data: "))["version"]]
        await anext(lines)
        await visitor.say(chat_id, "Hello")
        versions.append(json.loads((await anext(lines)).removeprefix("data: "))["version"])
    assert versions[0] < versions[1]


async def test_the_console_page_and_its_files_are_served(giosg: Giosg) -> None:
    async with httpx2.AsyncClient(
        base_url=giosg.control_url, trust_env=False, verify=NO_TLS, follow_redirects=True
    ) as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for name in ("console.js", "console.css"):
            assert name in page.text
            assert (await client.get(f"/console/{name}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/chats/none/join", {}, 404, id="no such chat"),
        pytest.param("/visitors/none/forget-secret", {}, 404, id="no such visitor"),
        pytest.param("/config", {"unknown": 1}, 422, id="no such field"),
        pytest.param("/faults", {"count": 0}, 422, id="out of range"),
        pytest.param("/raw", {"url": "http://elsewhere.example/"}, 422, id="not on loopback"),
        pytest.param("/clock", [], 422, id="no object"),
    ],
)
async def test_an_order_that_makes_no_sense_is_told_so(giosg: Giosg, path: str, body: object, status: int) -> None:
    async with httpx2.AsyncClient(base_url=giosg.control_url, trust_env=False, verify=NO_TLS) as client:
        answer = await client.post(path, json=body)
        assert (answer.status_code, "error" in answer.json()) == (status, True)


@pytest.mark.parametrize(("origin", "status"), [("http://elsewhere.example", 403), ("null", 403), ("", 200)])
async def test_a_page_of_another_origin_cannot_order_anything(giosg: Giosg, origin: str, status: int) -> None:
    headers = {"Origin": origin or giosg.control_url}
    async with httpx2.AsyncClient(base_url=giosg.control_url, trust_env=False, verify=NO_TLS) as client:
        assert (await client.post("/reset", headers=headers)).status_code == status
