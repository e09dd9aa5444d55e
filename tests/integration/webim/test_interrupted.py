"""Calls that end in the middle, or that something comes into; faults are put between two of the worker's own steps."""

from __future__ import annotations

import time
from typing import Any

import pytest

from broker.errors import NoAnswerError
from tests.integration.webim.conftest import Json, Webim
from workers.webim.chat.chats import Chat, Replaced
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.endings import Endings, Target
from workers.webim.chat.sessions import ChatSessions
from workers.webim.chat.store import CHATS, ChatStore
from workers.webim.chat.transfer_notes import TransferNotes

HELLO: Json = {"event": "new_chat", "chat": {"id": 1}, "messages": [{"kind": "visitor", "text": "Hello"}]}


async def test_a_session_goes_on_where_the_call_that_was_to_replace_it_broke_off_before_it_was_kept(
    webim: Webim, monkeypatch: pytest.MonkeyPatch
) -> None:
    await webim.post(HELLO)
    await webim.say(1, "more")

    async def break_off(*_: object, **__: object) -> int:
        raise NoAnswerError("a save", problem="put there by the test")

    with monkeypatch.context() as patch:
        patch.setattr(ChatStore, "save", break_off)
        assert (await webim.post(HELLO)).status_code == 503
    await webim.say(1, "still there?")
    assert await webim.kinds() == ["firstmessage", "message", "message"]


async def test_the_end_of_a_session_is_told_although_the_call_that_replaced_it_broke_off(webim: Webim) -> None:
    await webim.post(HELLO)
    await webim.say(1, "more")
    before = (await webim.chat(1)).session
    fresh = "11111111-2222-4333-8444-555555555555"
    replaces = Replaced(session=before, reason="new_session")
    await webim.change_chat(
        1, session=fresh, opening_id=f"{fresh}-opening", stored=False, more=False, spoke=False, replaces=replaces
    )
    await webim.say(1, "hello?")
    said = [(event.session == before, event.kind.removeprefix("webimmessagetype.")) for event in await webim.events()]
    assert said == [(True, "firstmessage"), (True, "message"), (True, "ended"), (False, "firstmessage")]
    assert (await webim.chat(1)).replaces is None


async def test_a_link_that_is_renewed_while_the_chat_is_given_away_is_taken_back(
    webim: Webim, monkeypatch: pytest.MonkeyPatch
) -> None:
    await webim.put_channel(service="shop-1")
    await webim.post(HELLO)
    await webim.change_chat(1, link_until_ms=int(time.time() * 1000) + 1_000)

    async def given_away_meanwhile(_: ChatSessions, chat: Chat, **__: Any) -> bool:
        await endings_of(webim).transfer(webim.channel, chat, Target("operator", "240001"))
        return True

    monkeypatch.setattr(ChatSessions, "may_renew", given_away_meanwhile)
    await webim.say(1, "more")
    links = [kind for kind in await webim.kinds() if kind in {"stubsession.set", "stubsession.delete"}]
    assert links[-2:] == ["stubsession.set", "stubsession.delete"]
    assert (await webim.chat(1)).state == "transferred"


async def test_a_link_that_was_renewed_before_a_transfer_was_kept_is_taken_by_the_transfers_second_try(
    webim: Webim, monkeypatch: pytest.MonkeyPatch
) -> None:
    await webim.put_channel(service="shop-1")
    await webim.post(HELLO)
    await webim.change_chat(1, link_until_ms=int(time.time() * 1000) + 1_000)
    chat, save = await webim.chat(1), ChatStore.save

    async def renewed_meanwhile(store: ChatStore, changed: Chat, **given: Any) -> int:
        if changed.state == "transferred" and not renewed:
            renewed.append(True)
            await webim.say(1, "more")
        return await save(store, changed, **given)

    renewed: list[bool] = []
    monkeypatch.setattr(ChatSessions, "may_renew", _always)
    monkeypatch.setattr(ChatStore, "save", renewed_meanwhile)
    await endings_of(webim).transfer(webim.channel, chat, Target("operator", "240001"))
    links = [kind for kind in await webim.kinds() if kind in {"stubsession.set", "stubsession.delete"}]
    assert links == ["stubsession.set", "stubsession.delete", "stubsession.set", "stubsession.delete"]


async def _always(*_: object, **__: object) -> bool:
    return True


def endings_of(webim: Webim) -> Endings:
    """As another process has them."""
    records = webim.backbone.records
    chats = ChatStore(records(CHATS), records("SESSIONS"))
    return Endings(Conversations(webim.backbone.publisher), chats, TransferNotes(records(CHATS)))
