"""A program that answers by hand: another org, its chat, its stub, all over the real bus of a stack."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath, CommandSubject, Conversation, Kind, Verb
from broker.domain.wire import Body
from broker.transport.commands import request_command
from broker.transport.connection import Connection, connect
from broker.transport.publisher import Publisher, open_publisher
from tests.e2e.stack import Stack

NAME = "shop"


class Shop:
    """An org of its own with the chat ``draftshop``, and the stub ``desk.A`` that speaks for it."""

    stub = "desk.A"

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self.org = str(uuid4())
        self.chat = f"draft{NAME}"
        self.path = ChatPath(ChannelName("webchat"), OrgId(self.org), ChatName(self.chat))
        self._connection = connection
        self._publisher = publisher

    def conversation(self, session: str) -> Conversation:
        """The conversation of a session here."""
        return self.path.conversation(SessionId(session))

    async def ask(self, verb: Verb, body: Body) -> Body:
        """Ask the linker."""
        subject = CommandSubject(self.path.org, verb)
        return await request_command(self._connection, subject, encode(body), headers={names.STUB: self.stub})

    async def register(self, kind: Kind, action: str, *, mechanism: str = "evt") -> None:
        """The stub's standing wish for one kind of event of the chat."""
        params: Body = {
            "uuid": str(uuid4()),
            "registration_name": action,
            "on_trigger_method": "keep",
            "events": {
                "it": {
                    "path": f"{self.path.prefix}.webchatmessagetype.{kind}",
                    "mechanism": mechanism,
                    "timeout_seconds": 3600,
                }
            },
            "trigger_stubaction": {"action_name": action, "stubref": self.stub, "message": action},
        }
        await self.ask("register", {"tasktype": "heimdall_register", "params": params})

    async def notify(self, session: str, **members: object) -> int:
        """Write to the visitor; members as documented. Returns the notification's place in the log."""
        body = {"platforms": {"webchat": {"sessionuuid": session, **members}}}
        subject = self.conversation(session).subject(Kind.NOTIFICATION)
        headers = {names.MESSAGE_ID: str(uuid4()), names.STUB: self.stub}
        return (await self._publisher.store(subject, encode(body), headers)).sequence

    async def write(self, session: str, text: str) -> int:
        """A plain text for the visitor."""
        return await self.notify(session, webchat_message={"type": "text", "value": text})


@contextlib.asynccontextmanager
async def open_shop(stack: Stack) -> AsyncIterator[Shop]:
    """Make the chat; connected until the end of the block."""
    async with connect(stack.nats_url, name="test-shop") as connection, open_publisher(connection) as publisher:
        shop = Shop(connection, publisher)
        await shop.ask("profilecreate", {"name": NAME, "branch": "draft", "title": "Shop"})
        yield shop
