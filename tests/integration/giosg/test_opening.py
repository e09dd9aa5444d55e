"""From the visitor to giosg: a conversation comes, a chat is opened, or not."""

from __future__ import annotations

from broker.domain.subjects import Kind
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, Desk
from tests.standins.giosg_control import API_TOKEN, Giosg

PROFILE = {"webchat_profile": {"display_name": "Alice"}}


async def test_check_1_a_new_visitor_opens_and_giosg_sees_five_calls_in_order(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.say(conversation, "I need a human", Kind.MESSAGE, **PROFILE)
    await desk.hand_over(conversation)
    await desk.chat_id(conversation)
    found = [
        (call.method, call.path.rstrip("/").split("/")[-1], call.headers.get("authorization", "").partition(" ")[0])
        for call in await giosg.calls()
        if not call.path.endswith(("/messages", "/memberships")) and "owned_chats" not in call.path
    ]
    room = found[0][1]
    assert found == [
        ("GET", room, "Token"),
        ("POST", "auth", ""),
        ("POST", "visitors", "Bearer"),
        ("POST", "variables", "Token"),
        ("POST", "chats", "Bearer"),
    ]
    assert (await giosg.calls("/variables"))[0].body == {"key": "username", "value": "Alice"}
    assert (await giosg.calls("/variables"))[0].headers["authorization"] == f"Token {API_TOKEN}"


async def test_check_4_a_text_is_one_message_and_is_acknowledged_with_giosgs_id(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    sequence = await desk.say(conversation, "hello")

    async def acknowledged() -> bool:
        case = await desk.case(conversation)
        return case is not None and str(sequence) in case.sent

    await poll(acknowledged)
    chat = await giosg.chat(chat_id)
    assert chat.texts("visitor") == ["hello"]
    case = await desk.case(conversation)
    assert case is not None
    assert case.sent[str(sequence)] == [chat.messages[0]["id"]]
    (call,) = await giosg.calls("/messages", method="POST")
    assert call.body == {"type": "msg", "message": "hello"}


async def test_what_the_visitor_said_last_opens_the_agents_task(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.link(conversation, BOT)
    await desk.say(conversation, "first")
    await desk.say(conversation, "I need a human")
    await desk.hand_over(conversation)
    await desk.say(conversation, "are you there?")
    chat_id = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, chat_id, ["I need a human", "are you there?"]))
    assert [told for told in await desk.types(conversation) if told.startswith("session.")][:2] == [
        "session.opened",
        "session.waiting",
    ]


async def test_a_profile_leads_to_the_desk_which_takes_the_link(desk: Desk, giosg: Giosg) -> None:
    await desk.route_here()
    conversation = await desk.open()
    for text in ("one", "two", "three"):
        await desk.say(conversation, text)
    chat_id = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, chat_id, ["one", "two", "three"]))
    assert len(await giosg.chats()) == 1
    linked = await desk.events(conversation, Kind.LINKED)
    assert [fact["stub"] for _, fact in linked] == ["giosg.support"]


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts
