"""What a test can let go wrong in the calls of a bot: specs/webim.md section 9.3."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import ChatId, Webim


@pytest.fixture
async def chat_id(webim: Webim, bot: Bot) -> ChatId:
    """A chat that the bot has."""
    return (await webim.open_chat()).chat_id


async def test_a_status_comes_as_often_as_asked_and_the_call_has_no_effect(
    webim: Webim, bot: Bot, chat_id: ChatId
) -> None:
    await webim.fault(status=503, count=2)
    statuses = [(await bot.say(chat_id, "Hi")).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert (await webim.chat(chat_id)).texts("bot") == ["Hi"]
    assert [call.taken for call in await webim.calls("send_message")] == [False, False, True]


async def test_a_call_may_have_its_effect_and_still_fail(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(status=502, taken=True)
    assert (await bot.say(chat_id, "Hi")).status_code == 502
    assert (await webim.chat(chat_id)).texts("bot") == ["Hi"]


@pytest.mark.parametrize("taken", [False, True])
async def test_a_connection_breaks_before_or_after_the_call_was_taken(
    webim: Webim, bot: Bot, chat_id: ChatId, *, taken: bool
) -> None:
    await webim.fault(close_connection=True, taken=taken)
    with pytest.raises(httpx2.TransportError):
        await bot.say(chat_id, "Hi")
    assert (await webim.chat(chat_id)).texts("bot") == (["Hi"] if taken else [])
    call = (await webim.calls("send_message"))[0]
    assert (call.status, call.taken) == (None, taken)
    assert (await bot.say(chat_id, "Again")).status_code == 200


async def test_an_answer_is_cut_short(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(truncate=True, taken=True)
    with pytest.raises(httpx2.RemoteProtocolError):
        await bot.say(chat_id, "Hi")


async def test_an_answer_is_a_page_and_no_json(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(html_body=True)
    answer = await bot.say(chat_id, "Hi")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")
    await webim.fault(html_body=True, status=502)
    assert (await bot.say(chat_id, "Hi")).status_code == 502


async def test_an_error_comes_with_status_200(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(error_200="too-long")
    answer = await bot.say(chat_id, "Hi")
    assert (answer.status_code, answer.json()["error"]) == (200, "too-long")


@pytest.mark.parametrize("wait", [3, "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_a_bot_is_asked_to_slow_down(webim: Webim, bot: Bot, chat_id: ChatId, wait: int | str) -> None:
    await webim.fault(retry_after=wait)
    answer = await bot.say(chat_id, "Hi")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, str(wait))


async def test_a_delay_alone_spoils_nothing(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(delay_ms=300)
    began_s = time.monotonic()
    assert (await bot.say(chat_id, "Hi")).json() == {"result": "ok"}
    assert time.monotonic() - began_s >= 0.3


@pytest.mark.parametrize("taken", [False, True])
async def test_a_bot_that_does_not_wait_leaves_a_call_that_was_taken_or_was_not(
    webim: Webim, bot: Bot, chat_id: ChatId, *, taken: bool
) -> None:
    await webim.fault(delay_ms=500, taken=taken)
    with pytest.raises(httpx2.TimeoutException):
        await bot.say(chat_id, "Hi", timeout=0.1)
    assert (await bot.say(chat_id, "Later")).status_code == 200
    assert (await webim.chat(chat_id)).texts("bot") == (["Hi", "Later"] if taken else ["Later"])


async def test_a_fault_is_for_one_path_or_one_chat_and_may_come_later(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    other = (await webim.open_chat()).chat_id
    await webim.fault(path="close_chat", status=500)
    await webim.fault(chat_id=other, status=501)
    await webim.fault(skip=1, status=502)
    statuses = [(await bot.say(one, "Hi")).status_code for one in (chat_id, other, chat_id)]
    assert statuses == [200, 501, 502]
    assert (await bot.call("close_chat", {"chat_id": chat_id})).status_code == 500


async def test_a_call_that_did_not_come_whole_is_none(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    port = int(webim.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/bot/v2/send_message HTTP/1.1\r\nHost: webim\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await bot.say(chat_id, "Hi")).status_code == 200
    assert len(await webim.calls("send_message")) == 1
    assert await webim.violations() == []


async def test_webim_is_away_until_the_test_brings_it_back(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.fault(close_connection=True, count=None)
    for _ in range(3):
        with pytest.raises(httpx2.TransportError):
            await bot.say(chat_id, "Hi")
    await webim.clear_faults()
    assert (await bot.say(chat_id, "Hi")).status_code == 200


async def test_faults_hit_the_stored_data_too(webim: Webim, bot: Bot) -> None:
    await webim.fault(path="/api/v2/", status=500)
    assert (await bot.get("/api/v2/operators")).status_code == 500
