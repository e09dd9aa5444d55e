"""The Stored Data API by real HTTP, against the stand-in and what it can be made to answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from broker.errors import (
    AddressRefusedError,
    ChannelAnswerError,
    ChannelAuthFailedError,
    ChannelAwayError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChatGoneError,
)
from broker.runtime.outbound_http import OutboundHttp
from tests.standins.webim_control import Webim
from workers.webim.channel import Channel, ChannelSettings
from workers.webim.collecting.stored_data import StoredData

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
CHAT = "/api/v2/chat"
PASSWORD = "a secret of the test's"


@pytest_asyncio.fixture
async def stored_data(standin: Webim) -> AsyncIterator[StoredData]:
    """A client of an account with an administrator."""
    await standin.configure(admin_email="admin@example.com", admin_password=PASSWORD)
    async with OutboundHttp(private_addresses=True) as http:
        yield StoredData(http, base_url_template=standin.url)


def channel(password: str = PASSWORD) -> Channel:
    settings = ChannelSettings(name="Shop", domain="examplecom", email="admin@example.com", password=password)
    return Channel(id="ch1", org=ORG, access_token="", settings=settings, created_at_ms=0)


async def test_a_chat_comes_with_all_its_messages(standin: Webim, stored_data: StoredData) -> None:
    opened = await standin.open_chat(messages=["Hello"])
    await standin.operator(opened.chat_id, "Good day")
    dialog = await stored_data.chat(channel(), opened.chat_id)
    assert dialog.chat_id == str(opened.chat_id)
    assert [(message.author, message.text) for message in dialog.messages] == [
        ("client", "Hello"),
        ("agent", "Good day"),
    ]
    assert [message.operator_id for message in dialog.messages] == [None, "240001"]
    assert all(message.created_at_ms for message in dialog.messages)


async def test_chats_come_in_pages_each_where_the_last_one_ended(standin: Webim, stored_data: StoredData) -> None:
    await standin.configure(page_size=2)
    ids = [str((await standin.open_chat(messages=[f"chat {number}"])).chat_id) for number in range(5)]
    found, since, pages = [], "0", 0
    while True:
        page = await stored_data.chats(channel(), since)
        found += [dialog.chat_id for dialog in page.dialogs]
        since, pages = page.last_ts, pages + 1
        if not page.more:
            break
    assert (found, pages) == (ids, 3)
    assert (await stored_data.chats(channel(), since)).dialogs == ()


async def test_operators_are_listed(stored_data: StoredData) -> None:
    assert {operator["id"] for operator in await stored_data.operators(channel())} == {240001, 240002}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param({"status": 403}, ChannelAuthFailedError, id="forbidden"),
        pytest.param({"status": 429, "retry_after": 7}, ChannelThrottledError, id="too many calls"),
        pytest.param({"status": 503}, ChannelAwayError, id="away"),
        pytest.param({"status": 400}, ChannelRejectedError, id="bad request"),
        pytest.param({"status": 302}, ChannelRejectedError, id="a redirect is not followed"),
        pytest.param({"error_200": "no-tariff-option"}, ChannelRejectedError, id="an error that says 200"),
        pytest.param({"html_body": True}, ChannelAnswerError, id="a page for people"),
        pytest.param({"truncate": True}, ChannelSilentError, id="an answer that breaks off"),
        pytest.param({"close_connection": True}, ChannelSilentError, id="no answer"),
    ],
)
async def test_each_failure_has_its_error(
    standin: Webim, stored_data: StoredData, fault: dict[str, Any], expected: type[ChannelError]
) -> None:
    opened = await standin.open_chat()
    await standin.fault(path=CHAT, **fault)
    with pytest.raises(expected) as caught:
        await stored_data.chat(channel(), opened.chat_id)
    assert type(caught.value) is expected
    assert PASSWORD not in str(caught.value)
    assert (await stored_data.chat(channel(), opened.chat_id)).chat_id == str(opened.chat_id)


async def test_a_wrong_login_is_a_failure_of_its_own(standin: Webim, stored_data: StoredData) -> None:
    with pytest.raises(ChannelAuthFailedError):
        await stored_data.chats(channel("wrong"), "0")


async def test_a_chat_that_webim_does_not_have_is_gone(stored_data: StoredData) -> None:
    with pytest.raises(ChatGoneError):
        await stored_data.chat(channel(), "a chat/of &nobody's")


async def test_a_private_address_is_never_called(standin: Webim) -> None:
    async with OutboundHttp() as http:
        stored_data = StoredData(http, base_url_template=standin.url)
        with pytest.raises(AddressRefusedError):
            await stored_data.chat(channel(), 1)
    assert await standin.calls() == []
