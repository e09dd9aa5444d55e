"""The demo's program that hands over: what it says and whom it links, with the desk's part played by hand."""

from __future__ import annotations

from uuid import uuid4

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.ids import ActionName, Stub
from broker.domain.subjects import Conversation, DeliverySubject, Kind, partition_of
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import read_range
from broker.transport.topology import CONVERSATIONS, PARTITIONS
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.integration.runtime.serving import serving
from workers.demo.reception import AGENTS, service

WELCOME = "Welcome! I am a bot. Write 'agent' to talk to a human."
HANDED_OVER = "One moment, I am asking my colleagues."


async def said(chat: Chat, conversation: Conversation) -> list[str]:
    """The texts of the stubs, in order."""
    subject = f"p.{partition_of((conversation.session,), PARTITIONS)}.{conversation.subject(Kind.NOTIFICATION)}"
    found = await read_range(chat.connection, CONVERSATIONS, (subject,), after=0, limit=100)
    contents = [decode(message.data)["platforms"]["webchat"] for message in found]
    return [content["webchat_message"]["value"] for content in contents if "webchat_message" in content]


async def until_said(chat: Chat, conversation: Conversation, text: str) -> None:
    async def is_said() -> bool:
        return text in await said(chat, conversation)

    await poll(is_said)


async def owner(chat: Chat, conversation: Conversation) -> str:
    facts = await chat.facts(conversation, Kind.LINKED)
    return str(facts[-1]["stub"]) if facts else ""


async def until_owned(chat: Chat, conversation: Conversation) -> str:
    """Whoever has it, once anybody has."""

    async def is_owned() -> bool:
        return bool(await owner(chat, conversation))

    await poll(is_owned)
    return await owner(chat, conversation)


async def until_desk_has_it(chat: Chat, conversation: Conversation) -> str:
    """The stub that had it before."""

    async def has_it() -> bool:
        return await owner(chat, conversation) == AGENTS

    await poll(has_it)
    return str((await chat.facts(conversation, Kind.LINKED))[-1]["replaces"])


async def give_back(chat: Chat, conversation: Conversation, giver: str, event: str) -> None:
    """As the desk does: the link first, then the run that says why."""
    task = {"operation": "set", "sessionuuid": conversation.session, "stubref": giver}
    params = {"params": {"platform": "webchat", "webchat": task}}
    await chat.publish(conversation.subject(Kind.SET), params, stub=AGENTS)
    data = {"_incoming_giosg_data": {"type": event, "desk": AGENTS, "sessionuuid": conversation.session}}
    subject = DeliverySubject(chat.org, Stub.parse(giver), ActionName("_update_from_giosg"))
    headers = {names.MESSAGE_ID: str(uuid4()), names.CONVERSATION: conversation.prefix}
    await chat.publisher.store(str(subject), encode({"stubpost": {"message": "", "data": data}}), headers)


async def test_it_hands_over_when_the_visitor_asks_and_goes_on_when_it_gets_the_conversation_back(
    server: EmbeddedServer, routing: None, connection: Connection, publisher: Publisher, org: str
) -> None:
    chat = Chat(connection, publisher, org, "draftsupport")
    async with serving(service, server.url, org) as served:
        conversation = chat.conversation()
        await chat.open(conversation)
        await until_said(chat, conversation, WELCOME)
        await chat.say(conversation, "Hello")
        await until_said(chat, conversation, "You wrote 'Hello'. Write 'agent' to talk to a human.")
        bot = await owner(chat, conversation)
        await chat.say(conversation, " Agent ")
        assert await until_desk_has_it(chat, conversation) == bot
        assert (await said(chat, conversation))[-1] == HANDED_OVER
        await give_back(chat, conversation, bot, "session.ended")
        await until_said(chat, conversation, "Hello again, you are talking to the bot again. What can I do for you?")
        await chat.say(conversation, "one more thing")
        await until_said(chat, conversation, "You wrote 'one more thing'. Write 'agent' to talk to a human.")
        assert await served.dead() == []


async def test_a_first_message_may_ask_for_a_human_and_nobody_there_is_told(
    server: EmbeddedServer, routing: None, connection: Connection, publisher: Publisher, org: str
) -> None:
    chat = Chat(connection, publisher, org, "draftsupport")
    async with serving(service, server.url, org) as served:
        conversation = chat.conversation()
        await chat.open(conversation)
        await chat.say(conversation, "human")
        giver = await until_desk_has_it(chat, conversation)
        assert giver.startswith("reception.")
        await give_back(chat, conversation, giver, "unavailable")
        await until_said(chat, conversation, "Hello again, none of my colleagues is there now. What can I do for you?")
        assert await served.dead() == []
