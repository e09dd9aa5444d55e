"""The whole way: a simulated visitor, the adapter, the linker, a program on the kit, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

import workers.demo.shop
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.webim.conftest import Json
from tests.integration.webim.talking import Talk, talking
from tests.processes import service_process, worker_process

WITHIN_S = 20.0
CANCELLED = "stubsession.cancelled"


@pytest_asyncio.fixture
async def shop(server: EmbeddedServer, org: str, webim_url: str) -> AsyncIterator[Talk]:
    """A channel whose new sessions belong to the demo's shop."""
    program = Path(str(workers.demo.shop.__file__))
    with (
        worker_process("linker", server.url),
        service_process(program, server.url, HEIMDALL_SHOP_ORG=org),
    ):
        async with talking(server, org, webim_url) as talk:
            await talk.use_channel(service="shop")
            await talk.installation.configure(
                handlers={"chat_closed": f"{talk.adapter.url}/handlers/chat_closed"},
            )
            yield talk


async def shows(talk: Talk, question: Json, expected: list[str]) -> None:
    async def is_shown() -> bool:
        return await talk.shown(question) == expected

    await poll(is_shown, WITHIN_S)


async def kinds_until(talk: Talk, last: str) -> list[str]:
    found: list[str] = []

    async def is_there() -> bool:
        found[:] = await talk.adapter.kinds()
        return found[-1] == last

    await poll(is_there, WITHIN_S)
    return found


async def test_check_17_what_a_program_learns_at_the_start_of_a_chat_it_knows_until_it_closes_the_chat(
    shop: Talk,
) -> None:
    question = await shop.begin(location={"address": "checkout"})
    assert question["event"] == "newChatStarted"
    expected: list[str] = []
    for text in ("hello", "again"):
        await shop.installation.visitor(question["conversation_id"], text)
        expected += [f"You wrote {text!r}, at checkout", "Delivery | Return"]
        await shows(shop, question, expected)
    await shop.installation.visitor(question["conversation_id"], "bye")
    await shows(shop, question, [*expected, "Goodbye"])
    await poll(lambda: _is_closed(shop, question, "bot"), WITHIN_S)
    assert (await shop.transcript(question)).owner == "closed"
    assert await shop.adapter.letters() == []


async def test_a_chat_goes_to_an_operator_comes_back_in_a_new_session_and_its_program_hears_of_the_end(
    shop: Talk,
) -> None:
    first = await shop.begin("operator")
    await shows(shop, first, ["One moment, a colleague takes over"])
    assert (await kinds_until(shop, CANCELLED))[-3:] == ["notice", "stubsession.delete", CANCELLED]
    assert (await shop.transcript(first)).department == "sales"
    await shop.installation.operator(first["conversation_id"], "Ask again, please")
    opened = await shop.installation.return_to_bot(first["conversation_id"])
    assert opened.delivery.status == 200
    await shows(shop, first, ["One moment, a colleague takes over"] * 2)  # the program asks for an operator again
    second = [question for question in await shop.adapter.questions() if question.get("query")][-1]
    assert (second["new_session"], second["session_id"] != first["session_id"]) == (True, True)
    await poll(lambda: _has_events(shop, second, ["livechatStarted"]), WITHIN_S)
    await poll(lambda: _state_is(shop, second, "transferred"), WITHIN_S)
    await shop.installation.close(first["conversation_id"])
    await poll(lambda: _has_events(shop, second, ["livechatStarted", "livechatFinished"]), WITHIN_S)
    await poll(lambda: _is_closed(shop, second, "operator"), WITHIN_S)
    assert await shop.adapter.letters() == []


async def _has_events(talk: Talk, question: Json, expected: list[str]) -> bool:
    return [notice["event"] for notice in await talk.notices(question)] == expected


async def _is_closed(talk: Talk, question: Json, reason: str) -> bool:
    return await talk.state(question) == ("closed", reason)


async def _state_is(talk: Talk, question: Json, state: str) -> bool:
    return (await talk.state(question))[0] == state
