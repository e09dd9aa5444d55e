"""Who is let in: sessions and their tokens, chats, sites, addresses, clients that speak otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from broker.codec import decode
from broker.domain.ids import ChatName, OrgId
from broker.domain.subjects import ChatPath, Kind
from broker.transport.topology import SESSIONS
from tests.integration.webchat.conftest import Webchat, running_webchat

Resume = Callable[..., dict[str, Any]]


async def test_a_wrong_token_opens_nothing_and_a_new_session_may_follow(webchat: Webchat, resume: Resume) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await browser.say("secret")
    async with webchat.browser() as browser:
        refused, rest = await browser.hello(resume(welcome) | {"token": "guessed"})
        assert (refused["code"], rest) == ("forbidden", [])
        again, frames = await browser.hello()
    assert again["sessionuuid"] != welcome["sessionuuid"]
    assert [frame["frame"] for frame in frames] == ["replayed"]


async def test_a_session_that_nobody_began_is_unknown(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        refused, _ = await browser.hello({"sessionuuid": str(uuid4()), "token": "x"})
    assert refused["code"] == "unknown_session"


async def test_only_the_hash_of_a_token_is_kept(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
    record = await webchat.backbone.records(SESSIONS).read(welcome["sessionuuid"])
    assert record.value is not None
    assert welcome["token"].encode() not in record.value
    assert decode(record.value)["meta_data"]["ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param({"chat_name": "draftnope"}, "unknown_chat", id="a chat that is not there"),
        pytest.param({"chat_name": "a.b"}, "bad_name", id="a name that would add a token"),
        pytest.param({"orguuid": "shop"}, "bad_name", id="an org that is no uuid"),
    ],
)
async def test_a_chat_that_does_not_exist_is_refused_with_a_sentence(
    webchat: Webchat, members: dict[str, Any], code: str
) -> None:
    async with webchat.browser() as browser:
        refused, _ = await browser.hello(**members)
        assert refused["code"] == code
        assert len(refused["message"]) > len(code)
        assert await browser.close_code() == 4404
    assert await webchat.initialized() == []


async def test_what_is_for_another_conversation_is_not_shown(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        session = welcome["sessionuuid"]
        hei = {"type": "text", "value": "hei"}
        elsewhere = ChatPath(webchat.path.channel, OrgId(str(uuid4())), webchat.path.chat)
        await webchat.notify(session, path=elsewhere, message=hei)
        other_chat = ChatPath(webchat.path.channel, webchat.path.org, ChatName("draftother"))
        await webchat.notify(session, path=other_chat, message=hei)
        await webchat.tell(session, Kind.NOTIFICATION, {"platforms": {"webchat": {"sessionuuid": str(uuid4())}}})
        await webchat.tell(session, Kind.NOTIFICATION, {"nonsense": True})
        sent = await webchat.notify(session, message=hei)
        assert (await browser.next("message"))["sequence"] == sent.sequence


async def test_what_is_said_in_one_tab_appears_in_the_other(webchat: Webchat, resume: Resume) -> None:
    async with webchat.browser() as one, webchat.browser() as two:
        welcome, _ = await one.hello()
        await two.hello(resume(welcome))
        client_id = str(uuid4())
        await one.say("hei", client_id)
        frame = await two.next("message")
        assert (frame["direction"], frame["text"], frame["id"]) == ("from_visitor", "hei", client_id)
        await two.say("from here")
    assert [kind for kind, _ in await webchat.log(welcome["sessionuuid"])] == ["firstmessage", "message"]


async def test_a_page_of_another_site_is_sent_away(webchat: Webchat) -> None:
    async with webchat.browser(origin="https://elsewhere.example.org") as browser:
        assert (await browser.next())["code"] == "forbidden_origin"
        assert await browser.close_code() == 4403
    async with webchat.browser(origin=f"http://127.0.0.1:{webchat.port}") as browser:
        assert (await browser.hello())[0]["frame"] == "welcome"


@pytest.mark.parametrize(
    ("frame", "members"),
    [
        pytest.param("say", {"id": str(uuid4()), "text": "hei"}, id="no hello first"),
        pytest.param("shout", {}, id="no such frame"),
        pytest.param("hello", {"orguuid": 1, "chat_name": "draftshop"}, id="an org that is a number"),
    ],
)
async def test_a_client_that_speaks_otherwise_is_sent_away(
    webchat: Webchat, frame: str, members: dict[str, Any]
) -> None:
    async with webchat.browser() as browser:
        await browser.send(frame, **members)
        assert await browser.close_code() == 4400


async def test_an_address_has_its_limits(server: Any, org: str) -> None:
    async with running_webchat(server.url, org, sockets_per_address_max=1, sessions_per_minute_max=1) as webchat:
        async with webchat.browser() as browser:
            await browser.hello()
            async with webchat.browser() as second:
                assert (await second.next())["code"] == "too_many"
                assert await second.close_code() == 1013
        async with webchat.browser() as browser:
            assert (await browser.hello())[0]["code"] == "too_many"
