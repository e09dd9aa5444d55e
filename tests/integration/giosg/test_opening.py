"""From the visitor to giosg: a conversation comes, a chat is opened, or not."""

from __future__ import annotations

from broker.domain.subjects import Conversation, Kind
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


async def test_check_31_a_long_text_is_three_messages(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    thumb = "\U0001f44d\U0001f3fd"
    text = "x" * 1999 + thumb + "y" * 2499
    assert len(text) == 4500
    await desk.say(conversation, text)
    await poll(lambda: _joined(giosg, chat_id, text))
    parts = (await giosg.chat(chat_id)).texts("visitor")
    assert [len(part) for part in parts] == [1999, 2000, 501]
    assert parts[1].startswith(thumb)


async def test_check_37_two_visitors_of_one_name_are_two_visitors(desk: Desk, giosg: Giosg) -> None:
    for _ in range(2):
        conversation = await desk.open()
        await desk.say(conversation, "hello", Kind.MESSAGE, **PROFILE)
        await desk.hand_over(conversation)
        await desk.chat_id(conversation)
    chats = await giosg.chats()
    assert [chat.visitor_name for chat in chats] == ["Alice", "Alice"]
    assert len({chat.visitor_id for chat in chats}) == 2


async def test_a_visitor_whom_the_channel_knows_is_the_same_one_in_the_next_conversation(
    desk: Desk, giosg: Giosg
) -> None:
    for _ in range(2):
        conversation = await desk.open()
        await desk.say(conversation, "hello", webchat_profile={"id": "customer-7", "display_name": "Alice"})
        await desk.hand_over(conversation)
        await desk.chat_id(conversation)
    assert len({chat.visitor_id for chat in await giosg.chats()}) == 1


async def test_what_changes_of_a_visitor_is_told_once_for_each_key(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await desk.chat_id(conversation)
    for plan in ("basic", "gold", "gold"):
        profile = {"display_name": "Alice", "plan": plan}
        body = desk.visitor_body(conversation, webchat_profile=profile)
        await desk.publish(conversation.subject(Kind.USERDATA), body)
    last = await desk.say(conversation, "done")
    await poll(lambda: _is_sent(desk, conversation, last))
    found = [call.body for call in await giosg.calls("/variables")]
    assert found == [
        {"key": "username", "value": "Alice"},
        {"key": "plan", "value": "basic"},
        {"key": "plan", "value": "gold"},
    ]


async def test_a_file_goes_by_its_link_and_without_one_the_visitor_is_told(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    stored = {
        "contentType": "image/png",
        "filename": "f1",
        "fileuuid": "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90",
        "originalname": "cat.png",
    }
    await desk.say(conversation, "look", webchat_attachments=[stored])
    await desk.say(conversation, "and here", webchat_attachments=[{**stored, "url": "https://files.example/cat.png"}])
    await poll(lambda: _texts(giosg, chat_id, ["look", "and here\ncat.png: https://files.example/cat.png"]))
    assert (await desk.types(conversation)).count("files.unsupported") == 1


async def _joined(giosg: Giosg, chat_id: str, text: str) -> bool:
    return "".join((await giosg.chat(chat_id)).texts("visitor")) == text


async def _is_sent(desk: Desk, conversation: Conversation, sequence: int) -> bool:
    case = await desk.case(conversation)
    return case is not None and str(sequence) in case.sent
