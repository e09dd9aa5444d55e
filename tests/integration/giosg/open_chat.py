"""A case with an open chat, made by giosg's API alone: what the clock looks after, whoever opened it."""

from __future__ import annotations

from uuid import uuid4

from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath, Conversation
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case, Chat
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.cases.transitions import after_visitor_text
from workers.giosg.connections.connection import GiosgConnection


class OpenChat:
    """One conversation and its chat; ``key`` is what its visitor is known by."""

    def __init__(self, cases: CaseStore, apis: Apis, connection: GiosgConnection) -> None:
        self._cases = cases
        self._connection = connection
        path = ChatPath(ChannelName("webchat"), OrgId(connection.org), ChatName("draftshop"))
        self.conversation: Conversation = path.conversation(SessionId(str(uuid4())))
        self.key = f"webchat-{self.session}"
        self.visitor = apis.of(connection.name).as_visitor(self.key)
        self.id = ""

    @property
    def session(self) -> SessionId:
        return self.conversation.session

    async def open(self, *texts: str) -> None:
        """C1, C2, C6, and C9 for each text."""
        identity = await self.visitor.identity()
        await self.visitor.enter_room()
        chat = await self.visitor.create_chat()
        self.id = chat.id
        await self._cases.own_chat(self._connection.organization_id, chat.id, self.session)
        await self._cases.lead_visitor(self._connection.organization_id, identity.visitor_id, self.session)
        case = Case(
            org=self._connection.org,
            connection=self._connection.name,
            conversation=self.conversation.prefix,
            session=self.session,
            visitor_key=self.key,
            stage="open_silent",
            chat=Chat(id=chat.id, opened_at_ms=now_ms(), created_at=chat.created_at),
            last_at_ms=now_ms(),
        )
        await self._cases.save(case, revision=0)
        for number, text in enumerate(texts, start=1):
            sent = await self.visitor.send(chat.id, text)
            await self.change(after_visitor_text(await self.case(), sent.id, number, now_ms=now_ms()))

    async def case(self) -> Case:
        """The case as it is."""
        found = (await self._cases.load(self.session)).case
        assert found is not None
        return found

    async def change(self, case: Case) -> None:
        """Make it another."""
        await self._cases.change(self.session, lambda _: case)
