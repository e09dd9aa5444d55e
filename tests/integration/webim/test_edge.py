"""Who may call the endpoint, how, and how much: every refusal over real HTTP, and nothing published for it."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.runtime.embedded import EmbeddedServer, nats_server
from tests.conftest import TIME_FACTOR, poll
from tests.integration.webim.conftest import V1, V2, Json, Webim, running_webim
from tests.processes import free_port, worker_process

MIB = 1 << 20
SAID: Json = {"event": "new_message", "chat_id": 1, "message": {"kind": "visitor", "text": "hello"}}
PASSWORD = "пароль:1"
PLANTED: dict[str, Any] = {
    "bot_api_token": "planted-bot-token",
    "password": "planted-password",
    "inbound_basic_password": "planted-basic",
}
JSON = {"Content-Type": "application/json"}


async def test_check_13_a_channel_without_a_deployment_is_not_there_yet(webim: Webim) -> None:
    await webim.put_channel(deployed=False)
    answer = await webim.post(SAID)
    assert (answer.status_code, answer.json()["error"]) == (503, "channel_not_deployed")
    assert answer.headers["Retry-After"] == "30"
    assert await webim.events() == []
    await webim.deploy()
    await poll(lambda: _is_taken(webim))


async def _is_taken(webim: Webim) -> bool:
    return (await webim.post(SAID)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "suffix", "token", "expected"),
    [
        pytest.param({"X-Bot-API-Version": "3.0"}, "", "t", "unsupported_bot_api_version", id="a version to come"),
        pytest.param({"X-Bot-API-Version": "x"}, "", "t", "unsupported_bot_api_version", id="no version"),
        pytest.param({"X-Bot-API-Version": "20.0"}, "", "t", "unsupported_bot_api_version", id="a number like ours"),
        pytest.param({}, "/v3", "t", "unsupported_bot_api_version", id="a suffix to come"),
        pytest.param({"X-Bot-API-Version": "2.0"}, "", None, "bot_api_v2_not_configured", id="2 without a token"),
        pytest.param({}, "/v2", None, "bot_api_v2_not_configured", id="a suffix for 2 without a token"),
        pytest.param({}, "", "t", "2", id="without a header, 2 where there is a token"),
        pytest.param({}, "", None, "1", id="without a header, 1 where there is none"),
        pytest.param({"X-Bot-API-Version": ""}, "", "t", "2", id="an empty header says nothing"),
        pytest.param({"X-Bot-API-Version": "2.1"}, "/v1", "t", "1", id="the suffix wins over the header"),
        pytest.param({"X-Bot-API-Version": "3.0"}, "/v1", "t", "1", id="also over one that we do not speak"),
        pytest.param({"X-Bot-API-Version": "1.0"}, "/v2", "t", "2", id="either way"),
        pytest.param({"X-Bot-API-Version": "1.7"}, "", "t", "1", id="the header wins over the token"),
    ],
)
async def test_check_24_the_version_is_chosen_by_address_header_and_settings(
    webim: Webim, headers: dict[str, str], suffix: str, token: str | None, expected: str
) -> None:
    await webim.put_channel(bot_api_token=token, v1_timeout_ms=500)
    answer = await webim.post(SAID, headers=headers, suffix=suffix)
    if answer.status_code == 404:
        assert answer.json()["error"] == expected
        assert await webim.events() == []
    else:
        assert (await webim.chat(1)).dialect == expected


async def test_the_settings_say_the_version_where_nothing_else_does(webim: Webim) -> None:
    await webim.put_channel(api_version="1", v1_timeout_ms=500)
    assert "has_answer" in (await webim.post(SAID, headers={})).json()
    await webim.put_channel(api_version="2", bot_api_token=None)
    assert (await webim.post(SAID, headers={})).json()["error"] == "bot_api_v2_not_configured"


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        pytest.param(b"{", JSON, 400, "invalid_json", id="bad JSON"),
        pytest.param(b'{"event": "new_chat", "chat": {"id": NaN}}', JSON, 400, "invalid_json", id="not a number"),
        pytest.param('{"event":"å"}'.encode("latin-1"), JSON, 400, "invalid_json", id="another encoding"),
        pytest.param(b"[]", JSON, 400, "invalid_body", id="an array"),
        pytest.param(b"{}", JSON, 400, "bad_event", id="no event"),
        pytest.param(b'{"event": 1}', JSON, 400, "bad_event", id="a number for an event"),
        pytest.param(b'{"event":"new_message","chat_id":true}', JSON, 400, "bad_chat_id", id="a boolean for a chat"),
        pytest.param(b'{"event":"new_chat","chat":{"id":1},"visitor":1}', JSON, 400, "bad_visitor", id="a visitor"),
        pytest.param(b'{"event":"new_chat","chat":{"id":1},"messages":1}', JSON, 400, "bad_messages", id="messages"),
        pytest.param(b'{"event":"new_message","chat_id":1}', JSON, 400, "bad_message", id="no message"),
        pytest.param(b"x" * (2 * MIB), JSON, 413, "payload_too_large", id="2 MiB"),
        pytest.param(b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type", id="text"),
        pytest.param(b"x" * (2 * MIB), {"Content-Type": "text/plain"}, 413, "payload_too_large", id="size before type"),
    ],
)
async def test_check_36_what_is_no_call_is_refused_with_its_code(
    webim: Webim, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await webim.client.post(webim.url, content=content, headers={**V2, **headers})
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["desc"]
    assert await webim.events() == []


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;x=y"])
async def test_any_charset_of_json_is_taken(webim: Webim, kind: str) -> None:
    assert (await webim.post(SAID, headers={**V2, "Content-Type": kind})).status_code == 200


async def test_a_call_without_a_content_type_is_taken(webim: Webim) -> None:
    answer = await _raw(webim, b'{"event":"new_chat","chat":{"id":1}}')
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("suffix", ["", "/v2", "/handlers/chat_closed"])
async def test_check_36_any_other_method_is_refused_before_anything_is_looked_at(
    webim: Webim, method: str, suffix: str
) -> None:
    answer = await webim.client.request(method, webim.url.rpartition("/")[0] + "/no-such-token" + suffix)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    if method != "HEAD":
        assert answer.json()["error"] == "method_not_allowed"


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(webim: Webim) -> None:
    answer = await _raw(webim, b"", length=2 * MIB)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_without_a_length_is_read_no_further_than_it_may_be(webim: Webim) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"x" * 65_536

    answer = await webim.client.post(webim.url, content=endless(), headers={**V2, **JSON})
    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")


async def test_a_body_of_one_mebibyte_is_read(webim: Webim) -> None:
    body = b'{"event": "unknown", "more": "' + b"x" * (MIB - 32) + b'"}'
    assert len(body) == MIB
    assert (await webim.post(body)).json() == {"result": "ok"}


async def test_what_the_bus_cannot_carry_is_refused_and_nothing_is_stored(webim: Webim) -> None:
    body = {"event": "new_chat", "chat": {"id": 5}, "location": "x" * 600_000}
    answer = await webim.post(body)
    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
    assert await webim.events() == []
    with pytest.raises(AssertionError):
        await webim.chat(5)


async def test_basic_credentials_are_asked_for_where_the_channel_has_them(webim: Webim) -> None:
    await webim.put_channel(inbound_basic_user="webim", inbound_basic_password=PASSWORD)
    for wrong in ("", "Basic", "Basic !!", "Bearer x", _basic("webim:other"), _basic("other:пароль:1")):
        answer = await webim.post(SAID, headers={**V2, **({"Authorization": wrong} if wrong else {})})
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    handler = await webim.post({"chat_id": 1}, suffix="/handlers/chat_closed")
    assert handler.status_code == 401
    assert await webim.events() == []
    assert (await webim.post(SAID, headers={**V2, "Authorization": _basic("webim:пароль:1")})).status_code == 200


def _basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


async def test_check_37_what_does_not_concern_a_bot_is_ignored_and_counted(webim: Webim) -> None:
    before = await _counts(webim)
    assert (await webim.post({"event": "message_edited"})).json() == {"result": "ok"}
    assert (await webim.post({**SAID, "message": {"kind": "sticker"}})).json() == {"result": "ok"}
    assert (await webim.post({**SAID, "message": {"kind": "visitor", "text": " "}})).json() == {"result": "ok"}
    after = await _counts(webim)
    for kind in ("event", "kind", "blank"):
        assert after.get(kind, 0.0) - before.get(kind, 0.0) == 1
    assert await webim.events() == []


async def _counts(webim: Webim) -> dict[str, float]:
    page = (await webim.client.get(f"http://127.0.0.1:{webim.port}/metrics")).text
    lines = [line for line in page.splitlines() if line.startswith("heimdall_webim_ignored_total{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}


async def test_check_39_a_deleted_channel_is_unknown_and_others_are_not(webim: Webim) -> None:
    gone, gone_url = webim.channel, webim.url
    await webim.put_channel()
    await webim.remove_channels(gone.id)

    async def is_gone() -> bool:
        answer = await webim.client.post(gone_url, json=SAID, headers=V2)
        return (answer.status_code, answer.json().get("error")) == (404, "unknown_channel")

    await poll(is_gone)
    assert (await webim.post(SAID)).status_code == 200


async def test_probes_and_metrics_are_answered(webim: Webim) -> None:
    root = f"http://127.0.0.1:{webim.port}"
    assert (await webim.client.get(f"{root}/healthz")).text == "ok\n"
    await poll(lambda: _is_ready(webim))
    assert "heimdall_webim_calls_total" in (await webim.client.get(f"{root}/metrics")).text
    assert (await webim.client.get(f"{root}/elsewhere")).status_code == 404


async def _is_ready(webim: Webim) -> bool:
    return (await webim.client.get(f"http://127.0.0.1:{webim.port}/readyz")).status_code == 200


async def test_check_38_while_the_broker_is_away_calls_are_refused_and_afterwards_taken(
    tmp_path: Path, org: str
) -> None:
    async with nats_server(tmp_path) as own, running_webim(own.url, org) as webim:
        assert (await webim.post(SAID)).status_code == 200
        await own.kill()
        begun_s = time.monotonic()
        for headers in (V2, V1):
            answer = await webim.post(SAID, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (503, "backbone_unavailable")
            assert answer.headers["Retry-After"] == "5"
        assert time.monotonic() - begun_s < 2 * 3
        handler = await webim.post({"chat_id": 1}, suffix="/handlers/chat_closed")
        assert handler.json()["error"] == "backbone_unavailable"
        await own.start()
        await poll(lambda: _is_taken(webim), within_s=15)
        said = [question["query"] for question in await webim.questions()]
        assert said == ["hello", "hello"]


async def test_check_38_a_broker_that_is_silent_is_waited_for_three_seconds_at_most(tmp_path: Path, org: str) -> None:
    async with nats_server(tmp_path) as own, running_webim(own.url, org) as webim:
        assert own.pid is not None
        os.kill(own.pid, signal.SIGSTOP)
        try:
            begun_s = time.monotonic()
            answers = await asyncio.gather(*(webim.say(number % 2, "x") for number in range(6)))
            assert time.monotonic() - begun_s < 3.0 * TIME_FACTOR
            assert {answer.json()["error"] for answer in answers} == {"backbone_unavailable"}
        finally:
            os.kill(own.pid, signal.SIGCONT)
        await poll(lambda: _is_taken(webim), within_s=15)


async def test_check_40_no_log_line_holds_a_secret_or_what_a_visitor_wrote(
    webim: Webim, server: EmbeddedServer, capfd: pytest.CaptureFixture[str]
) -> None:
    await webim.put_channel(**PLANTED, email="admin@example.com", inbound_basic_user="webim", v1_timeout_ms=500)
    capfd.readouterr()
    settings = {"HEIMDALL_LOG_LEVEL": "debug", "HEIMDALL_WEBIM_PORT": str(free_port())}
    with worker_process("webim", server.url, **settings):
        webim.port = int(settings["HEIMDALL_WEBIM_PORT"])
        allowed = {"Authorization": _basic("webim:planted-basic")}
        said = {"kind": "visitor", "text": "planted-words"}
        new_chat = {"event": "new_chat", "chat": {"id": 1}, "messages": [said]}
        for headers in (V2, V1, {"X-Bot-API-Version": "3"}):
            await webim.post(new_chat, headers={**headers, **allowed})
            await webim.post({**new_chat, "chat": {"id": True}}, headers={**headers, **allowed})
            await webim.post(new_chat, headers=headers)
        await webim.post(b'{"planted-words', headers={**V2, **allowed})
        session = (await webim.chat(1)).session
        await webim.change_chat(1, state="transferred")
        await webim.post({**SAID, "message": said}, headers={**V2, **allowed})
        page = (await webim.client.get(f"http://127.0.0.1:{webim.port}/metrics")).text
    logged = "".join(capfd.readouterr()) + page
    assert "session_opened" in logged
    assert "event_dead_lettered" in logged
    planted = (*PLANTED.values(), "planted-words", session, webim.channel.access_token)
    assert [secret for secret in planted if secret in logged] == []


async def _raw(webim: Webim, body: bytes, *, length: int | None = None) -> bytes:
    """The answer to bytes on a socket of our own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", webim.port)
    path = webim.url.partition(f":{webim.port}")[2]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Bot-API-Version: 2.0\r\nContent-Length: {length or len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    async with asyncio.timeout(10 * TIME_FACTOR):
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return answer
