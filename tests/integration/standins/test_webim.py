"""The stand-in keeps to section 9 of specs/webim.md: what it takes from a bot, and what it tells one."""

from __future__ import annotations

from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import Webim


async def test_a_chat_opens_and_the_answer_comes_back(webim: Webim, bot: Bot) -> None:
    opened = await webim.open_chat(messages=["Hello"])
    assert opened.delivery.status == 200
    assert opened.delivery.json == {"result": "ok"}
    assert bot.received[0]["messages"][0]["text"] == "Hello"
    assert (await bot.say(opened.chat_id, "Hi")).json() == {"result": "ok"}
    assert (await webim.chat(opened.chat_id)).texts("bot") == ["Hi"]
