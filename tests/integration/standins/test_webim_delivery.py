"""How the stand-in brings events to a bot: modes, retries, records, raw bytes; specs/webim.md section 9.3."""

from __future__ import annotations

import asyncio
import time

from tests.conftest import Eventually
from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import Webim


def texts_of(bot: Bot) -> list[str]:
    return [event["message"]["text"] for event in bot.received if event["event"] == "new_message"]


async def test_a_duplicate_is_the_same_bytes_again(webim: Webim, bot: Bot) -> None:
    await webim.mode("duplicate")
    opened = await webim.open_chat(messages=["Hello"])
    assert len(opened.deliveries) == 2
    assert bot.received[0] == bot.received[1]
    assert bot.at_once_max == 1


async def test_the_two_of_a_duplicate_may_come_at_the_same_time(webim: Webim, bot: Bot) -> None:
    bot.delay_s = 0.2
    await webim.mode("duplicate", second="together")
    await webim.open_chat(messages=["Hello"])
    assert bot.at_once_max == 2


async def test_the_second_of_a_duplicate_may_come_late_but_never_that_of_an_opening(
    webim: Webim, bot: Bot, eventually: Eventually
) -> None:
    await webim.mode("duplicate", second="late")
    bot.delay_s = 0.1
    opened = await webim.open_chat(wait=False)
    for text in ("A", "B"):
        await webim.visitor(opened.chat_id, text, wait=False)
    await eventually(lambda: len(bot.received) == 6)
    assert [event["event"] for event in bot.received[:2]] == ["new_chat", "new_chat"]
    assert texts_of(bot) == ["A", "B", "A", "B"]


async def test_reorder_lets_each_two_events_change_places(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    await webim.mode("reorder")
    assert (await webim.visitor(chat_id, "A")).deliveries == ()
    assert len((await webim.visitor(chat_id, "B")).deliveries) == 2
    assert (await webim.visitor(chat_id, "C")).deliveries == ()
    assert texts_of(bot) == ["B", "A"]
    assert len(await webim.mode("normal")) == 1
    assert texts_of(bot) == ["B", "A", "C"]
    assert (await webim.chat(chat_id)).texts() == ["A", "B", "C"]


async def test_a_burst_gathers_events_and_sends_them_at_once(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    bot.delay_s = 0.5
    await webim.mode("burst:5")
    for number in range(4):
        assert (await webim.visitor(chat_id, str(number))).deliveries == ()
    said = await webim.visitor(chat_id, "4")
    assert [one.status for one in said.deliveries] == [200] * 5
    assert sorted(texts_of(bot)) == ["0", "1", "2", "3", "4"]
    assert bot.at_once_max == 5


async def test_events_of_one_chat_wait_for_each_other_and_those_of_others_do_not(webim: Webim, bot: Bot) -> None:
    one, other = (await webim.open_chat()).chat_id, (await webim.open_chat()).chat_id
    bot.delay_s = 0.1
    await asyncio.gather(*(webim.visitor(one, str(number)) for number in range(3)))
    assert bot.at_once_max == 1
    await asyncio.gather(webim.visitor(one, "x"), webim.visitor(other, "y"))
    assert bot.at_once_max == 2


async def test_there_are_no_retries_unless_the_test_wants_some(webim: Webim, bot: Bot) -> None:
    bot.answers = [(503, {}), (503, {}), (503, {})]
    assert [one.status for one in (await webim.open_chat()).deliveries] == [503]
    await webim.configure(retries=4, retry_wait_ms=1)
    opened = await webim.open_chat()
    assert [(one.attempt, one.status) for one in opened.deliveries] == [(1, 503), (2, 503), (3, 200)]
    assert opened.deliveries[0].body == opened.delivery.body


async def test_a_broken_connection_and_a_timeout_are_tried_again_too(webim: Webim, bot: Bot) -> None:
    await webim.configure(retries=1, retry_wait_ms=1)
    bot.answers = [None]
    opened = await webim.open_chat()
    assert opened.deliveries[0].error is not None
    assert [one.status for one in opened.deliveries] == [None, 200]


async def test_attempts_go_round_the_addresses_of_a_bot(webim: Webim, bot: Bot) -> None:
    await webim.configure(endpoint_url=["http://127.0.0.1:1/bot", bot.url], retries=2, retry_wait_ms=1)
    opened = await webim.open_chat()
    assert [one.status for one in opened.deliveries] == [None, 200]
    assert opened.delivery.url == bot.url


async def test_chats_may_begin_at_different_addresses(webim: Webim, bot: Bot) -> None:
    urls = [f"{bot.url}/one", f"{bot.url}/two"]
    await webim.configure(endpoint_url=urls, spread=True)
    assert [(await webim.open_chat()).delivery.url for _ in range(3)] == [*urls, urls[0]]


async def test_a_bot_has_as_long_as_the_configuration_says(webim: Webim, bot: Bot) -> None:
    bot.delay_s = 0.5
    await webim.configure(timeout_ms=50)
    delivery = (await webim.open_chat()).delivery
    assert (delivery.status, delivery.error) == (None, "timeout")
    await webim.configure(timeout_ms=5_000)
    delivery = (await webim.open_chat()).delivery
    assert delivery.status == 200
    assert delivery.ms is not None
    assert delivery.ms >= 500


async def test_every_attempt_is_kept_with_its_latency(webim: Webim, bot: Bot) -> None:
    opened = await webim.open_chat()
    await webim.visitor(opened.chat_id, "more")
    kept = await webim.deliveries()
    assert [(one.n, one.event, one.chat_id, one.status) for one in kept] == [
        (0, "new_chat", 1, 200),
        (1, "new_message", 1, 200),
    ]
    assert all(one.ms is not None and one.at_ms <= time.time() * 1000 for one in kept)
    assert kept[0].headers["X-Bot-API-Version"] == "2.0"
    assert await webim.deliveries(since=1) == kept[1:]


async def test_an_order_need_not_wait_for_the_bot(webim: Webim, bot: Bot, eventually: Eventually) -> None:
    chat_id = (await webim.open_chat()).chat_id
    bot.delay_s = 0.3
    for number in range(3):
        assert (await webim.visitor(chat_id, str(number), wait=False)).deliveries == ()
    await eventually(lambda: texts_of(bot) == ["0", "1", "2"])


async def test_any_bytes_can_be_sent_to_the_endpoint(webim: Webim, bot: Bot) -> None:
    bot.answers = [(400, {"error": "invalid_json"})]
    answered = await webim.raw(b"{not json", path_suffix="/v1", headers={"X-Bot-API-Version": "3.0"}, method="PUT")
    assert (answered.status, answered.json) == (400, {"error": "invalid_json"})
    assert bot.paths[-1] == "PUT /bot/v1 HTTP/1.1"
    assert bot.received[-1] == {"not_json": "{not json"}
    assert bot.headers[-1]["x-bot-api-version"] == "3.0"
    assert "content-type" not in bot.headers[-1]
    await webim.raw(b"{}")
    assert bot.headers[-1]["content-type"] == "application/json"
