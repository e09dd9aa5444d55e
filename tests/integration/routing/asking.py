"""Chats of a channel that asks programs, published as its adapter does, and the answers that come back."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple
from uuid import uuid4

from broker.codec import decode, encode
from broker.domain.ids import ChannelName, ChatName, OrgId
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import ChatPath, Conversation, Kind, partition_of
from broker.domain.wire import Body, dump
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import StoredMessage, read_range
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, PARTITIONS, SESSIONS
from tests.conftest import poll
from tests.integration.routing.conftest import READ_MAX, Chat

FIRST_REQUEST: dict[str, Any] = {
    "event": "new_chat",
    "chat": {"id": "9401b039"},
    "visitor": {"id": "51b6d2d7", "fields": {"name": "John"}},
    "location": {"address": "pricing", "nothing": None},
}


class Answer(NamedTuple):
    """One answer: the id that it was published under, and what it says."""

    id: str
    content: dict[str, Any]


class Asking(Chat):
    """One Webim channel of one org; each session belongs to a stub of a service, made by nobody."""

    def __init__(self, connection: Connection, publisher: Publisher, org: str, service: str) -> None:
        super().__init__(connection, publisher, org)
        self.path = ChatPath(ChannelName("webim"), OrgId(org), ChatName("livech1"))
        self.service = service

    def stub_of(self, conversation: Conversation) -> str:
        """The stub that the adapter names for the session."""
        return f"{self.service}.chat-{hashlib.sha256(conversation.session.encode()).hexdigest()[:24]}"

    async def opened(self, hours: float = 24) -> Conversation:
        """A session as the adapter begins one: its record, then its link, and only then its first event."""
        conversation = self.conversation()
        record = SessionRecord(channel="webim", org=self.org, chat_name=self.path.chat, created_at_ms=1)
        sessions = Records(self.connection, self.publisher, SESSIONS)
        await sessions.write(conversation.session, encode(dump(record)), revision=0, ttl_s=3_600)
        task: Body = {"operation": "set", "sessionuuid": conversation.session, "stubref": self.stub_of(conversation)}
        task["set_new_with_timeout_hours"] = hours
        await self.publish(conversation.subject(Kind.SET), {"params": {"platform": "webim", "webim": task}})
        return conversation

    async def ask(self, conversation: Conversation, query: str, **more: Any) -> str:
        """The visitor says something; the question's id."""
        kind = Kind.FIRSTMESSAGE if more.get("new_session") else Kind.MESSAGE
        return await self.tell(conversation, kind, query=query, **more)

    async def notice(self, conversation: Conversation, event: str, **more: Any) -> str:
        """An event of the channel; the question's id."""
        return await self.tell(conversation, Kind.NOTICE, event=event, **more)

    async def tell(self, conversation: Conversation, kind: Kind, **members: Any) -> str:
        """A question with these members; its id."""
        request = {
            "channel_id": "ch1",
            "channel_type": "webim",
            "conversation_id": "1",
            "client_id": "1",
            "session_id": conversation.session,
            "question_id": str(uuid4()),
            "received_at": "2024-01-01T00:00:00Z",
            "data": {"chatId": "1"},
            **members,
        }
        content = {"sessionuuid": conversation.session, "webim_request": request}
        if "query" in members:
            content["webim_message"] = {"type": "text", "value": members["query"]}
        await self.publish(conversation.subject(kind), {"heimdall": {"webim": content}})
        return str(request["question_id"])

    async def end(self, conversation: Conversation, reason: str = "idle") -> None:
        """The session is over."""
        content = {"sessionuuid": conversation.session, "webim_control_event": {"reason": reason}}
        await self.publish(conversation.subject(Kind.ENDED), {"heimdall": {"webim": content}})

    async def answers(self, conversation: Conversation) -> list[Answer]:
        """What the program has answered so far, in order."""
        return [_answer(message) for message in await self.notifications(conversation)]

    async def notifications(self, conversation: Conversation) -> list[StoredMessage]:
        """The notifications of the conversation, as they are stored."""
        subject = f"p.{partition_of((conversation.session,), PARTITIONS)}.{conversation.subject(Kind.NOTIFICATION)}"
        return await read_range(self.connection, CONVERSATIONS, (subject,), after=0, limit=READ_MAX)

    async def answered(self, conversation: Conversation, question: str, within_s: float = 10.0) -> dict[str, Any]:
        """The answer to the question."""
        found: dict[str, Any] = {}

        async def is_there() -> bool:
            for answer in await self.answers(conversation):
                if answer.content["question_id"] == question:
                    found.update(answer.content)
            return bool(found)

        await poll(is_there, within_s)
        return found

    async def texts(self, conversation: Conversation, question: str) -> list[str]:
        """The texts of the answer to the question."""
        return [reply["text"] for reply in (await self.answered(conversation, question))["replies"]]


def _answer(message: StoredMessage) -> Answer:
    content = decode(message.data)["platforms"]["webim"]["webim_response"]
    return Answer(message.headers["Nats-Msg-Id"], content)
