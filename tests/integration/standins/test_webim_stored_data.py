"""The stand-in's Stored Data API: specs/webim.md sections 3.3 and 9.1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import Webim

ADMIN = ("admin@example.com", "secret")


@pytest.fixture
async def admin(webim: Webim, bot: Bot) -> Bot:
    """The bot's side, in an account whose administrator has a password."""
    await webim.configure(admin_email=ADMIN[0], admin_password=ADMIN[1])
    return bot


async def read(bot: Bot, path: str) -> Any:
    answer = await bot.get(f"/api/v2/{path}", auth=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["operators", "chat?id=1", "chats?since=0"])
async def test_only_the_administrator_may_read(admin: Bot, path: str) -> None:
    for options in ({}, {"auth": ("admin@example.com", "wrong")}, {"auth": ("else@example.com", "secret")}):
        answer = await admin.get(f"/api/v2/{path}", **options)
        assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


async def test_nobody_may_where_no_administrator_is_set(webim: Webim, admin: Bot) -> None:
    await webim.configure(admin_email=None, admin_password=None)
    assert (await admin.get("/api/v2/operators", auth=("None", "None"))).status_code == 401


async def test_operators_are_told_with_their_status(admin: Bot) -> None:
    found = await read(admin, "operators")
    assert [(one["id"], one["status"], one["roles"]) for one in found] == [
        (240001, "online", ["operator"]),
        (240002, "offline", ["operator"]),
    ]


async def test_a_dialog_is_told_with_who_wrote_what(webim: Webim, admin: Bot) -> None:
    chat_id = (await webim.open_chat(messages=["Hello"], fields={"name": "John"})).chat_id
    await admin.say(chat_id, "One moment")
    await webim.operator(chat_id, "Here I am")
    chat = (await read(admin, f"chat?id={chat_id}"))["chat"]
    assert (chat["id"], chat["operator_id"]) == (chat_id, 240001)
    assert chat["visitor"]["fields"] == {"name": "John"}
    assert [(one["kind"], one["message"], one.get("operator_id")) for one in chat["messages"]] == [
        ("visitor", "Hello", None),
        ("operator", "One moment", None),
        ("operator", "Here I am", 240001),
    ]
    moments = [one["created_at"] for one in chat["messages"]]
    assert moments == sorted(set(moments))
    assert all(one.endswith("Z") for one in moments)
    assert len({one["id"] for one in chat["messages"]}) == 3


async def test_a_text_may_be_called_text(webim: Webim, admin: Bot) -> None:
    await webim.configure(message_text_key="text")
    chat_id = (await webim.open_chat(messages=["Hello"])).chat_id
    assert (await read(admin, f"chat?id={chat_id}"))["chat"]["messages"][0]["text"] == "Hello"


async def test_a_chat_that_is_not_there_is_404_and_none_at_all_is_400(admin: Bot) -> None:
    assert (await admin.get("/api/v2/chat?id=5", auth=ADMIN)).status_code == 404
    assert (await admin.get("/api/v2/chat", auth=ADMIN)).json() == {"error": "argument-missing"}
    assert (await admin.get("/api/v2/chats?since=yesterday", auth=ADMIN)).status_code == 400


async def test_chats_come_in_pages_and_from_a_moment_on(webim: Webim, admin: Bot) -> None:
    await webim.configure(page_size=2)
    ids = [(await webim.open_chat(messages=["Hello"])).chat_id for _ in range(5)]
    seen, since, more = [], "0", True
    while more:
        page = await read(admin, f"chats?since={since}")
        seen.append([chat["id"] for chat in page["chats"]])
        since, more = page["last_ts"], page["more_chats_available"]
    assert seen == [ids[:2], ids[2:4], ids[4:]]
    assert isinstance(since, str)
    await webim.operator(ids[1], "One more thing")
    page = await read(admin, f"chats?since={since}")
    assert [chat["id"] for chat in page["chats"]] == [ids[1]]
    assert (await read(admin, f"chats?since={page['last_ts']}"))["chats"] == []


@pytest.mark.parametrize(
    ("mark", "members"),
    [
        pytest.param("info", set(), id="nothing but a message of kind info"),
        pytest.param("state", {"state"}, id="a state"),
        pytest.param("closed_at", {"closed_at"}, id="a moment"),
    ],
)
async def test_a_closed_chat_is_marked_as_the_test_wants_it(
    webim: Webim, admin: Bot, mark: str, members: set[str]
) -> None:
    await webim.configure(closed_mark=mark)
    chat_id = (await webim.open_chat(messages=["Hello"])).chat_id
    before = (await read(admin, f"chat?id={chat_id}"))["chat"]
    await webim.close(chat_id)
    after = (await read(admin, f"chat?id={chat_id}"))["chat"]
    assert set(after) - set(before) == members
    assert after["messages"][-1]["kind"] == "info"


async def test_a_closed_chat_still_tells_whose_it_was(webim: Webim, admin: Bot) -> None:
    chat_id = (await webim.open_chat(messages=["Hello"])).chat_id
    await webim.operator(chat_id, "Here I am")
    await webim.close(chat_id)
    assert (await read(admin, f"chat?id={chat_id}"))["chat"]["operator_id"] == 240001


async def test_the_clock_of_the_account_can_be_set(webim: Webim, admin: Bot) -> None:
    now = (await webim.open_chat(messages=["Hello"])).chat_id
    since = (await read(admin, "chats?since=0"))["last_ts"]
    await webim.configure(clock_offset_ms=3_600_000)
    later = (await webim.open_chat(messages=["Hello"])).chat_id
    page = await read(admin, f"chats?since={int(since) + 3_000_000_000}")
    assert [chat["id"] for chat in page["chats"]] == [later]
    assert now != later
