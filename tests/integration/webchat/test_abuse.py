"""One browser that misbehaves costs nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.ensure import ensure
from tests.conftest import TIME_FACTOR
from tests.integration.webchat.conftest import CHAT, Browser, Webchat, running_webchat
from workers.webchat.wire import FRAME_BYTES_MAX, TEXT_BYTES_MAX

Resume = Callable[..., dict[str, Any]]

SLOW_FRAMES_PER_S = 50.0
SLOW_FRAMES_BURST = 5
FLOOD = 30
TOO_BIG = 1009
LONG_EVENTS = 60
LONG_EVENT_CHARACTERS = 250_000
RETURNING = 30
BAD_FRAME = 4400
TRY_LATER = 1013


@contextlib.asynccontextmanager
async def raw_socket(webchat: Webchat) -> AsyncIterator[ClientConnection]:
    """A connection that may send anything."""
    url = f"ws://127.0.0.1:{webchat.port}/webchat/socket"
    async with connect(url, compression=None, max_size=None) as socket:
        yield socket


@pytest_asyncio.fixture
async def bystander(webchat: Webchat) -> AsyncIterator[Browser]:
    """Somebody else's chat in the same process."""
    async with webchat.browser() as browser:
        await browser.hello()
        yield browser


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param("{", BAD_FRAME, id="no JSON"),
        pytest.param("[]", BAD_FRAME, id="no object"),
        pytest.param('"say"', BAD_FRAME, id="a bare string"),
        pytest.param("[" * 100_000, BAD_FRAME, id="nested without end"),
        pytest.param('{"frame":"say"}', BAD_FRAME, id="a message without an id"),
        pytest.param('{"frame":"seen","sequence":-1}', BAD_FRAME, id="a place before the beginning"),
        pytest.param('{"frame":"seen","sequence":9007199254740993}', BAD_FRAME, id="a place no browser can count"),
        pytest.param(b"\x00\x01", BAD_FRAME, id="bytes"),
        pytest.param("x" * (FRAME_BYTES_MAX + 1), TOO_BIG, id="over the size of a frame"),
    ],
)
async def test_a_frame_that_cannot_be_read_ends_its_own_socket_and_no_other(
    webchat: Webchat, bystander: Browser, frame: str | bytes, code: int
) -> None:
    async with raw_socket(webchat) as socket:
        browser = Browser(socket, webchat.org)
        await browser.hello()
        await socket.send(frame)
        assert await browser.close_code() == code
    assert (await bystander.say("still here"))["frame"] == "stored"


async def test_a_text_over_its_size_is_refused_by_its_id_and_the_longest_is_taken(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        await browser.hello()
        client_id = str(uuid4())
        refused = await browser.say("ä" * (TEXT_BYTES_MAX // 2) + "x", client_id)
        assert (refused["frame"], refused["id"], refused["code"]) == ("refused", client_id, "bad_frame")
        assert str(TEXT_BYTES_MAX) in refused["message"]
        assert (await browser.say("ä" * (TEXT_BYTES_MAX // 2), client_id))["frame"] == "stored"


async def test_a_browser_that_says_too_much_at_once_has_to_wait_and_loses_nothing(
    server: EmbeddedServer, org: str
) -> None:
    limits = {"frames_per_s": SLOW_FRAMES_PER_S, "frames_burst": SLOW_FRAMES_BURST}
    async with running_webchat(server.url, org, **limits) as webchat, webchat.browser() as hasty:
        welcome, _ = await hasty.hello()
        began_s = asyncio.get_running_loop().time()
        for number in range(FLOOD):
            await hasty.send("say", id=str(uuid4()), text=str(number))
        async with webchat.browser() as patient:
            await patient.hello()
            assert (await patient.say("hei"))["frame"] == "stored"
            patient_s = asyncio.get_running_loop().time() - began_s
        for _ in range(FLOOD):
            await hasty.next("stored")
        hasty_s = asyncio.get_running_loop().time() - began_s
        said = [
            body["heimdall"]["webchat"]["webchat_message"]["value"]
            for _, body in await webchat.log(welcome["sessionuuid"])
        ]
    assert said == [str(number) for number in range(FLOOD)]
    assert hasty_s >= (FLOOD - SLOW_FRAMES_BURST) / SLOW_FRAMES_PER_S
    assert patient_s < hasty_s


async def test_the_session_of_another_org_is_refused_even_with_its_token(
    server: EmbeddedServer, webchat: Webchat, resume: Resume
) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await browser.say("between us")
    async with running_webchat(server.url, str(uuid4())) as other, other.browser() as browser:
        refused, rest = await browser.hello(resume(welcome))
        assert (refused["frame"], refused["code"], rest) == ("refused", "forbidden", [])
        assert "between us" not in str(await browser.hello())


async def test_a_client_id_cannot_reach_into_another_session(webchat: Webchat) -> None:
    client_id = str(uuid4())
    async with webchat.browser() as one, webchat.browser() as two:
        first, _ = await one.hello()
        second, _ = await two.hello()
        await one.say("mine", client_id)
        await two.say("mine too", client_id)
    for welcome in (first, second):
        assert len(await webchat.log(welcome["sessionuuid"])) == 1


async def test_many_who_come_back_at_once_to_a_long_past_are_all_let_in_and_hold_up_nobody(
    webchat: Webchat, bystander: Browser, resume: Resume
) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        for _ in range(LONG_EVENTS):
            await browser.say("hei", event={"filler": "x" * LONG_EVENT_CHARACTERS})

    async def come_back() -> str:
        async with raw_socket(webchat) as socket:
            hello = {"frame": "hello", "orguuid": webchat.org, "chat_name": CHAT, "session": resume(welcome)}
            await socket.send(json.dumps(hello))
            async with asyncio.timeout(60 * TIME_FACTOR):
                return str(json.loads(await socket.recv())["frame"])

    coming = [asyncio.create_task(come_back()) for _ in range(RETURNING)]
    assert (await bystander.say("still here"))["frame"] == "stored"
    assert await asyncio.gather(*coming) == ["welcome"] * RETURNING


async def test_a_socket_that_is_given_up_does_not_tell_the_whole_session_uuid_to_the_log(
    tmp_path: Path, org: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workers.webchat.bus.PATIENCE_S", 0.0)
    async with nats_server(tmp_path) as own, running_webchat(own.url, org) as webchat, webchat.browser() as browser:
        welcome, _ = await browser.hello()
        webchat.backbone.publisher._timeout_s = 0.5
        await own.kill()
        await browser.send("say", id=str(uuid4()), text="hei")
        assert await browser.close_code() == TRY_LATER
        await own.start()
    logged = capsys.readouterr().out
    assert "socket_given_up" in logged
    assert welcome["sessionuuid"][:8] in logged
    assert welcome["sessionuuid"] not in logged


async def test_a_full_log_is_told_to_the_browser_which_keeps_what_it_said(
    tmp_path: Path, org: str, resume: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.webchat.bus.FULL_PATIENCE_S", 0.2)
    async with nats_server(tmp_path) as own, running_webchat(own.url, org, log_bytes_max=20_000) as webchat:
        async with webchat.browser() as browser:
            welcome, _ = await browser.hello()
            said = [str(uuid4())]
            while (answer := await browser.say("x" * 2_000, said[-1]))["frame"] == "stored":
                said.append(str(uuid4()))
            assert (answer["code"], answer.get("id")) == ("stream_full", None)
            assert await browser.close_code() == TRY_LATER
        await ensure(webchat.backbone.connection, log_bytes_max=200_000)
        async with webchat.browser() as browser:
            await browser.hello(resume(welcome))
            assert (await browser.say("x" * 2_000, said[-1]))["frame"] == "stored"
        texts = [kind for kind, _ in await webchat.log(welcome["sessionuuid"]) if kind in {"firstmessage", "message"}]
        assert len(texts) == len(said)
