"""Operators' dialogs, collected by the real worker from the stand-in: each message once, in order, and the end."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from broker.domain.dialogs import DIALOG_MESSAGE, LIVECHAT_FINISHED, LIVECHAT_STARTED
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import CHANNELS, SESSIONS
from tests.conftest import poll
from tests.integration.webim.conftest import Json, Webim, running_webim
from tests.processes import free_port, worker_process
from tests.standins import webim_control
from workers.webim.administration.store import ChannelStore, replaced, with_id
from workers.webim.channel import ChannelSettings
from workers.webim.chat.chats import Chat
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.endings import Endings, Target
from workers.webim.chat.store import CHATS, ChatStore
from workers.webim.chat.transfer_notes import TransferNote, TransferNotes
from workers.webim.collecting.polling import COLLECTED_MS_MAX, SILENCE_MS

PASSWORD = "a secret of the test's"
ANOTHER = "a newer secret"
STORED_DATA = "/api/v2/"
OPERATOR = Target("operator", "240001")


class Desk:
    """A worker, the stand-in in front of it, and what the log says of their chats."""

    def __init__(self, webim: Webim, standin: webim_control.Webim) -> None:
        self.webim = webim
        self.standin = standin
        records = webim.backbone.records
        self.chats = ChatStore(records(CHATS), records(SESSIONS))
        self.notes = TransferNotes(records(CHATS))
        self.endings = Endings(Conversations(webim.backbone.publisher), self.chats, self.notes)
        self.email = f"{webim.org}@example.com"
        """The test's own: workers also collect for chats that earlier tests left behind."""

    async def begin(self, *, login: bool = True, **settings: Any) -> None:
        """A channel whose Webim is the stand-in."""
        email, password = (self.email, PASSWORD) if login else (None, None)
        given = {"log_poll_interval_s": 1, "email": email, "password": password, **settings}
        channel = await self.webim.put_channel(**given)
        endpoint, token = self.webim.url, channel.settings.bot_api_token
        await self.standin.configure(
            endpoint_url=endpoint,
            bot_token=token,
            admin_email=self.email,
            admin_password=PASSWORD,
            closed_mark="state",
            handlers={"chat_closed": f"{endpoint}/handlers/chat_closed"},
        )

    async def without_handler(self) -> None:
        """As most accounts are: nobody tells that a chat is over."""
        await self.standin.configure(handlers={})

    async def given_away(self, *texts: str) -> Chat:
        """A chat that the bot had, and an operator has now."""
        opened = await self.standin.open_chat(messages=list(texts or ["Hello"]))
        chat = await self.webim.chat(opened.chat_id)
        await self.endings.transfer(self.webim.channel, chat, OPERATOR)
        return chat

    async def redirected(self, *texts: str) -> Chat:
        """The same, by all that really happens: the bot answers, and its last word is an action."""
        opened = await self.standin.open_chat(messages=list(texts))
        chat = await self.webim.chat(opened.chat_id)
        replies = [{"type": "text", "text": "One moment"}, {"type": "buttons", "buttons": [{"text": "Cancel"}]}]
        action = {"type": "redirect_to_operator", "operator_id": OPERATOR.id}
        await self.webim.notify(chat.session, response={"replies": replies, "actions": [action]})
        await poll(lambda: self.note(chat))
        return chat

    async def said(self, session: str) -> list[str]:
        """The questions of a session: texts and events; what was collected by author and text."""
        found = []
        for question in await self.webim.questions():
            if question["session_id"] == session:
                data: Json = question.get("event_data") or {}
                is_collected = question.get("event") == DIALOG_MESSAGE
                words = f"{data['author']}: {data['text']}" if is_collected else question.get("event")
                found.append(words or question["query"])
        return found

    async def collected(self, session: str) -> list[str]:
        """What was collected for a session."""
        return [words for words in await self.said(session) if ": " in words]

    async def is_finished(self, chat: Chat) -> bool:
        """Whether the program was told that the operator is done."""
        return LIVECHAT_FINISHED in await self.said(chat.session)

    async def wait_for_collected(self, chats: list[Chat], count: int) -> None:
        """Return when each chat has so many collected messages."""

        async def are_collected() -> bool:
            return all([len(await self.collected(chat.session)) == count for chat in chats])

        await poll(are_collected, within_s=10)

    async def wait_for_finished(self, chats: list[Chat], *, within_s: float = 10.0) -> None:
        """Return when the end of each chat is told."""

        async def are_finished() -> bool:
            return all([await self.is_finished(chat) for chat in chats])

        await poll(are_finished, within_s=within_s)

    async def reads(self, path: str = STORED_DATA) -> int:
        """Calls of the Stored Data API with the test's own login."""
        return len(await self.read(path))

    async def read(self, path: str = STORED_DATA) -> list[webim_control.Call]:
        """The same, as they came."""
        logins = {base64.b64encode(f"{self.email}:{word}".encode()).decode() for word in (PASSWORD, ANOTHER)}
        found = await self.standin.calls(path)
        return [call for call in found if call.headers.get("authorization", "").removeprefix("Basic ") in logins]

    async def change_note(self, chat: Chat, **changes: Any) -> None:
        """Let time have passed for a note."""
        while True:
            note, revision = await self.notes.read(chat.channel_id, chat.conversation_id)
            assert note is not None
            try:
                await self.notes.write(note.model_copy(update=changes), revision=revision)
            except Exception:  # noqa: BLE001, S112 - the collector wrote in this instant
                continue
            return

    async def note(self, chat: Chat) -> TransferNote | None:
        """The chat's note."""
        return (await self.notes.read(chat.channel_id, chat.conversation_id))[0]

    async def change_settings(self, **changes: Any) -> None:
        """An administrator changes the channel, and its alarm ends as it does then."""
        channel = self.webim.channel

        def change(channels: Any) -> Any:
            found = with_id(channels, channel.id)
            assert found is not None
            settings = ChannelSettings.model_validate(found.settings.model_dump() | changes)
            return replaced(channels, found.model_copy(update={"settings": settings, "log_alarm": None}))

        await ChannelStore(self.webim.backbone.records(CHANNELS)).change(channel.org, change)

    async def alarm(self) -> str | None:
        """The channel's alarm of the admin login."""
        found = await ChannelStore(self.webim.backbone.records(CHANNELS)).find(self.webim.org, self.webim.channel.id)
        return None if found is None else found.log_alarm


@pytest_asyncio.fixture
async def desk(server: EmbeddedServer, org: str, standin: webim_control.Webim) -> AsyncIterator[Desk]:
    """The worker in this process; its channels' Webim is the stand-in."""
    changes = {"base_url_template": standin.url, "private_addresses": True}
    async with running_webim(server.url, org, **changes) as webim:
        yield Desk(webim, standin)
    assert await standin.violations() == []


@pytest.mark.parametrize("mark", [pytest.param("state", id="by a state"), pytest.param("closed_at", id="by a moment")])
async def test_check_30_what_an_operator_and_the_visitor_say_is_told_once_each_and_then_the_end(
    desk: Desk, mark: str
) -> None:
    await desk.begin()
    await desk.without_handler()
    await desk.standin.configure(closed_mark=mark)
    chat = await desk.redirected("Hello", "I need help")
    await desk.standin.operator(chat.chat_id, "Good day")
    await poll(lambda: _is(desk.collected(chat.session), ["agent: Good day"]))
    await desk.standin.visitor(chat.chat_id, "Thanks")
    await desk.standin.operator(chat.chat_id, "Bye")
    await desk.standin.close(chat.chat_id)
    await poll(lambda: desk.is_finished(chat), within_s=10)
    assert await desk.said(chat.session) == [
        "Hello\nI need help",
        LIVECHAT_STARTED,
        "agent: Good day",
        "client: Thanks",
        "agent: Bye",
        "system: Chat closed by operator",
        LIVECHAT_FINISHED,
    ]
    kinds = await desk.webim.kinds()
    after_it = kinds[kinds.index("ended") + 1 :]
    assert all(kind.startswith("stubsession.") for kind in after_it), "only a linker has a word after it"
    after = await desk.webim.chat(chat.chat_id)
    assert (after.state, after.reason) == ("closed", "operator")
    assert await desk.note(chat) is None


async def test_a_collected_message_says_who_wrote_it_and_when(desk: Desk) -> None:
    await desk.begin()
    chat = await desk.given_away()
    await desk.standin.operator(chat.chat_id, file={"name": "price.txt", "text": "7"})
    await poll(lambda: desk.collected(chat.session))
    [question] = [each for each in await desk.webim.questions() if each.get("event") == DIALOG_MESSAGE]
    [message] = [each for each in (await desk.standin.chat(chat.chat_id)).messages if each["author"] == "operator"]
    data = question["event_data"]
    assert (data["id"], data["author"], data["kind"]) == (message["id"], "agent", "file_operator")
    assert (data["created_at"], data["operator_id"]) == (message["created_at"], "240001")
    assert data["file"]["url"] == message["data"]["url"]
    assert question["session_id"] == chat.session
    assert "raw_request" not in question


async def test_check_31_without_an_admin_login_nothing_is_read_and_the_log_ends_at_the_transfer(desk: Desk) -> None:
    await desk.begin(login=False)
    await desk.standin.configure(first_chat_id=900_000)  # no other test's chat has that id
    chat = await desk.given_away()
    await desk.standin.operator(chat.chat_id, "Good day")
    await desk.begin()  # another channel, whose dialog shows that the collector has been at work meanwhile
    other = await desk.given_away()
    await desk.standin.operator(other.chat_id, "Hi")
    await poll(lambda: _is(desk.collected(other.session), ["agent: Hi"]))
    assert {call.query for call in await desk.read()} == {f"id={other.chat_id}"}
    assert not any(call.query == f"id={chat.chat_id}" for call in await desk.standin.calls(STORED_DATA))
    assert await desk.note(chat) is None
    assert (await desk.chats.load(chat.channel_id, chat.conversation_id)).chat is not None


async def test_the_handler_of_a_closed_chat_has_the_last_words_collected_before_the_end_is_told(desk: Desk) -> None:
    await desk.begin(log_poll_interval_s=600)
    chat = await desk.given_away()
    await desk.standin.operator(chat.chat_id, "Bye")
    [handled] = await desk.standin.close(chat.chat_id)
    assert handled.json == {"result": "ok"}
    await poll(lambda: desk.is_finished(chat))
    said = await desk.said(chat.session)
    assert said[-3:] == ["agent: Bye", "system: Chat closed by operator", LIVECHAT_FINISHED]
    assert await desk.reads() == 1


async def test_a_refused_login_ends_the_collection_until_it_is_another(desk: Desk) -> None:
    await desk.begin()
    await desk.standin.configure(admin_password=ANOTHER)
    chat = await desk.given_away()
    await desk.standin.operator(chat.chat_id, "Good day")
    await poll(lambda: _is(desk.alarm(), "auth_failed"))
    calls = await desk.reads()
    other = await desk.standin.open_chat(messages=["Anybody?"])
    assert other.delivery.status == 200
    await asyncio.sleep(2.5)
    assert await desk.reads() == calls
    await desk.change_settings(password=ANOTHER)
    await poll(lambda: _is(desk.collected(chat.session), ["agent: Good day"]))
    assert await desk.alarm() is None


async def test_a_refused_login_does_not_keep_an_end_from_being_told(desk: Desk) -> None:
    await desk.begin()
    await desk.standin.configure(admin_password=ANOTHER)
    chat = await desk.given_away()
    await poll(lambda: _is(desk.alarm(), "auth_failed"))
    await desk.standin.close(chat.chat_id)
    await poll(lambda: desk.is_finished(chat))


async def test_a_login_that_is_taken_away_ends_the_collection(desk: Desk) -> None:
    await desk.begin()
    chat = await desk.given_away()
    await poll(desk.reads)
    await desk.change_settings(email=None, password=None)
    await poll(lambda: _is(desk.note(chat), None))
    assert (await desk.webim.chat(chat.chat_id)).state == "transferred"


async def test_many_chats_are_read_in_pages_nothing_twice_and_nothing_missed(desk: Desk) -> None:
    await desk.begin()
    await desk.without_handler()
    await desk.standin.configure(page_size=2)
    chats = [await desk.given_away(f"Hello {number}") for number in range(7)]
    for turn in range(2):
        for chat in chats:
            await desk.standin.operator(chat.chat_id, f"word {turn}")
        await desk.wait_for_collected(chats, turn + 1)
    for chat in chats:
        await desk.standin.close(chat.chat_id)
    await desk.wait_for_finished(chats)
    for number, chat in enumerate(chats):
        words = ["agent: word 0", "agent: word 1", "system: Chat closed by operator"]
        assert await desk.said(chat.session) == [f"Hello {number}", LIVECHAT_STARTED, *words, LIVECHAT_FINISHED]
    assert await desk.reads("/api/v2/chats") > 3


async def test_a_page_that_was_written_before_a_chat_ended_does_not_end_its_dialog(desk: Desk) -> None:
    await desk.begin()
    chats = [await desk.given_away(f"Hello {number}") for number in range(5)]
    await poll(lambda: desk.reads("/api/v2/chats"), within_s=10)
    await desk.standin.fault(path="/api/v2/chats", delay_ms=1_500, taken=True)
    read = await desk.reads("/api/v2/chats")
    for chat in chats:
        await desk.standin.operator(chat.chat_id, "One moment")
    await poll(lambda: _more_than(desk.reads("/api/v2/chats"), read), within_s=10)
    for chat in chats:
        await desk.standin.operator(chat.chat_id, "Goodbye")
        await desk.standin.close(chat.chat_id)
    await desk.wait_for_finished(chats)
    words = ["agent: One moment", "agent: Goodbye", "system: Chat closed by operator"]
    for chat in chats:
        assert await desk.collected(chat.session) == words


async def test_where_webim_lists_no_chats_they_are_asked_for_one_by_one(desk: Desk) -> None:
    await desk.begin()
    await desk.standin.fault(path="/api/v2/chats", error_200="no-tariff-option", count=None)
    chats = [await desk.given_away() for _ in range(5)]
    for chat in chats:
        await desk.standin.operator(chat.chat_id, "Good day")
    await desk.wait_for_collected(chats, 1)
    await poll(lambda: desk.reads("/api/v2/chats"), within_s=10)
    for chat in chats:
        await desk.standin.operator(chat.chat_id, "Bye")
    await desk.wait_for_collected(chats, 2)
    assert await desk.reads("/api/v2/chats") == 1


async def test_a_chat_that_is_given_back_begins_a_new_session_and_nothing_of_the_old_one_is_told_in_it(
    desk: Desk,
) -> None:
    await desk.begin()
    old = await desk.given_away()
    await desk.standin.operator(old.chat_id, "One moment")
    await poll(lambda: _is(desk.collected(old.session), ["agent: One moment"]))
    await desk.standin.operator(old.chat_id, "The bot knows")
    await desk.standin.return_to_bot(old.chat_id)
    new = await desk.webim.chat(old.chat_id)
    assert (new.state, new.session != old.session) == ("active", True)
    await poll(lambda: _is(desk.collected(old.session), ["agent: One moment", "agent: The bot knows"]))
    await poll(lambda: _is(desk.note(old), None))
    await desk.standin.visitor(old.chat_id, "Not the bot again")
    await desk.endings.transfer(desk.webim.channel, new, OPERATOR)
    await desk.standin.operator(old.chat_id, "I am back")
    await poll(lambda: desk.collected(new.session))
    assert await desk.collected(new.session) == ["agent: I am back"]
    assert await desk.collected(old.session) == ["agent: One moment", "agent: The bot knows"]
    assert LIVECHAT_FINISHED not in await desk.said(old.session)


async def test_webim_away_for_a_while_loses_nothing(desk: Desk) -> None:
    await desk.begin()
    chat = await desk.given_away()
    await desk.standin.fault(path=STORED_DATA, status=503, count=2)
    await desk.standin.fault(path=STORED_DATA, close_connection=True)
    await desk.standin.operator(chat.chat_id, "Good day")
    await poll(lambda: _is(desk.collected(chat.session), ["agent: Good day"]), within_s=20)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"changed_at_ms": -SILENCE_MS}, id="silence after Webim's last word"),
        pytest.param({"since_ms": -COLLECTED_MS_MAX}, id="a day after the transfer"),
    ],
)
async def test_an_end_that_webim_does_not_mark_is_told_after_a_while(desk: Desk, changes: dict[str, int]) -> None:
    await desk.begin()
    await desk.without_handler()
    await desk.standin.configure(closed_mark="info")
    chat = await desk.given_away()
    await desk.standin.operator(chat.chat_id, "Bye")
    await desk.standin.close(chat.chat_id)
    await poll(lambda: _is(desk.collected(chat.session), ["agent: Bye", "system: Chat closed by operator"]))
    await poll(lambda: _is_marked(desk, chat))
    assert not await desk.is_finished(chat)
    now_ms = time.time_ns() // 1_000_000
    await desk.change_note(chat, next_poll_at_ms=0, **{name: now_ms + ms for name, ms in changes.items()})
    await poll(lambda: desk.is_finished(chat))


async def test_two_processes_and_one_that_is_killed_tell_everything_once(
    server: EmbeddedServer, desk: Desk, standin: webim_control.Webim
) -> None:
    await desk.begin()
    await desk.without_handler()
    chats = [await desk.given_away(f"Hello {number}") for number in range(3)]
    settings = {
        "HEIMDALL_WEBIM_BASE_URL_TEMPLATE": standin.url,
        "HEIMDALL_WEBIM_PRIVATE_ADDRESSES": "true",
        "HEIMDALL_WEBIM_PORT": str(free_port()),
    }
    with worker_process("webim", server.url, **settings) as other:
        await standin.fault(path=STORED_DATA, delay_ms=150, count=None)
        for turn in range(4):
            for chat in chats:
                await standin.operator(chat.chat_id, f"word {turn}")
            await asyncio.sleep(0.3)
            if turn == 2:
                other.kill()
                other.wait()
    for chat in chats:
        await standin.close(chat.chat_id)
    await desk.wait_for_finished(chats, within_s=60)  # what the killed one had begun waits until its claim is over
    for chat in chats:
        words = [f"agent: word {turn}" for turn in range(4)]
        assert await desk.collected(chat.session) == [*words, "system: Chat closed by operator"]


async def _is(found: Any, expected: object) -> bool:
    return bool(await found == expected)


async def _is_marked(desk: Desk, chat: Chat) -> bool:
    note = await desk.note(chat)
    return note is not None and note.closing_words


async def _more_than(found: Any, count: int) -> bool:
    return bool(await found > count)
