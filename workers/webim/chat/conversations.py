"""What the adapter says in a chat's conversation: the visitor's events, notices, links asked for and ended, receipts.

Every id derives from the session, which no outsider knows, so nothing is stored twice however often it is said.
"""

from __future__ import annotations

from typing import Literal

from broker import codec
from broker.domain import headers as names
from broker.domain.dialogs import DialogRequest, request_member
from broker.domain.events import Receipt
from broker.domain.ids import SessionId
from broker.domain.subjects import Conversation, Kind
from broker.domain.wire import Body, dump
from broker.transport.publisher import Publisher, Stored
from workers.webim.channel import WEBIM, Channel
from workers.webim.chat.chats import Chat

ReceiptStatus = Literal["delivered", "failed", "skipped"]


class Conversations:
    """Publishes into the log; each call returns when it is stored, and raises what the publisher raises."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def tell(self, channel: Channel, kind: Kind, request: DialogRequest, *, event_id: str) -> Stored:
        """A visitor's event: what the visitor did, with the question for the program."""
        conversation = channel.path.conversation(SessionId(request.session_id))
        return await self._store(conversation, kind, visitor_body(channel, request), event_id)

    async def link(self, channel: Channel, chat: Chat, stub: str, *, hours: float, event_id: str) -> Stored:
        """Give the conversation to a stub for so long."""
        task: Body = {"operation": "set", "sessionuuid": chat.session, "stubref": stub}
        task["set_new_with_timeout_hours"] = hours
        body = {"params": {"platform": WEBIM, WEBIM: task}}
        return await self._store(_conversation(channel, chat), Kind.SET, body, event_id)

    async def unlink(self, channel: Channel, chat: Chat, *, event_id: str) -> Stored:
        """Take it from whoever has it."""
        body = {"params": {"platform": WEBIM, WEBIM: {"operation": "delete", "sessionuuid": chat.session}}}
        return await self._store(_conversation(channel, chat), Kind.DELETE, body, event_id)

    async def end(self, channel: Channel, chat: Chat, *, reason: str, event_id: str) -> Stored:
        """The session is over, and why."""
        content = {"sessionuuid": chat.session, f"{WEBIM}_control_event": {"reason": reason}}
        return await self._store(_conversation(channel, chat), Kind.ENDED, {"heimdall": {WEBIM: content}}, event_id)

    async def confirm(
        self, channel: Channel, chat: Chat, sequence: int, status: ReceiptStatus, reason: str | None = None
    ) -> Stored:
        """What became of the notification of that sequence: one receipt, whoever says it how often."""
        return await self.confirm_in(_conversation(channel, chat), sequence, status, reason)

    async def confirm_in(
        self, conversation: Conversation, sequence: int, status: ReceiptStatus, reason: str | None = None
    ) -> Stored:
        """The same where no chat is known."""
        body = dump(Receipt(notification=sequence, status=status, reason=reason))
        return await self._store(conversation, Kind.RECEIPT, body, f"{conversation.session}-receipt-{sequence}")

    async def _store(self, conversation: Conversation, kind: Kind, body: Body, event_id: str) -> Stored:
        headers = {names.MESSAGE_ID: event_id, names.CONTENT_TYPE: codec.MSGPACK}
        return await self._publisher.store(conversation.subject(kind), codec.encode(body), headers)


def visitor_body(channel: Channel, request: DialogRequest) -> Body:
    """What a visitor did, as an event's body."""
    content: Body = {
        "sessionuuid": request.session_id,
        f"{WEBIM}_configuration": {"orguuid": channel.org, "chatname": channel.path.chat},
        request_member(WEBIM): dump(request),
    }
    if request.query is not None:
        content[f"{WEBIM}_message"] = {"type": "text", "value": request.query}
    return {"heimdall": {WEBIM: content}}


def _conversation(channel: Channel, chat: Chat) -> Conversation:
    return channel.path.conversation(SessionId(chat.session))
