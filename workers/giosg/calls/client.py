"""giosg's API as the organization sees it, and all connections' APIs: one method for each call that is made.

Source: specs/giosg.md section 3.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from broker.domain.wire import Body
from broker.errors import ChannelRejectedError, ChatGoneError
from broker.runtime.outbound_http import OutboundHttp
from workers.giosg.calls.exchange import PROBE_WAIT_S, Exchange, OnOutcome
from workers.giosg.calls.outcomes import Model, read
from workers.giosg.calls.request import CallName, Method, Request, giosg_id
from workers.giosg.calls.room import read_room
from workers.giosg.calls.tokens import VisitorTokens
from workers.giosg.calls.visitor import VisitorCalls
from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.wire import ChatView, Membership, MessageView, Page, RoomView, in_order

__all__ = ["Apis", "GiosgApi", "VisitorCalls"]

NO_SINGLE_MESSAGES = frozenset((404, 405))
"""Either the message is not there, or giosg has no such address: the list of all tells (4.5)."""


class GiosgApi:
    """One connection as the organization sees it.

    Every method raises ChannelError: ChannelAuthFailedError where the API token is not taken (tried once a minute
    then), AnswerIncompleteError for a protocol error, others as they say. Retries are over by then.
    """

    def __init__(self, exchange: Exchange, store: CaseStore) -> None:
        self.connection = exchange.connection
        self._exchange = exchange
        self._tokens = VisitorTokens(exchange, store)

    def as_visitor(self, visitor_key: str) -> VisitorCalls:
        """The calls that are made as that visitor."""
        return VisitorCalls(self._exchange, self._tokens, visitor_key)

    async def room(self) -> RoomView:
        """C5b: whether anybody is there.

        Raises:
            RoomUnknownError: the organization has no such room.
        """
        return await read_room(self._exchange)

    async def chat(self, chat_id: str) -> ChatView:
        """C8.

        Raises:
            ChatGoneError: it is not the organization's, or was removed.
        """
        return await self._ask("chat", self._chat(chat_id), ChatView)

    async def messages(self, chat_id: str) -> list[MessageView]:
        """C10: everything in the chat, oldest first.

        Raises:
            ChatGoneError: there is no such chat.
        """
        found = await self._collect("messages", f"{self._chat(chat_id)}/messages", MessageView)
        return in_order(found)

    async def message(self, chat_id: str, message_id: str) -> MessageView:
        """One message: by its own address, or out of all.

        Raises:
            ChatGoneError: it is not there, or its chat is not.
        """
        path = f"{self._chat(chat_id)}/messages/{giosg_id(message_id)}"
        try:
            return await self._ask("message", path, MessageView)
        except ChannelRejectedError as error:
            if error.status not in NO_SINGLE_MESSAGES:
                raise
        for found in await self.messages(chat_id):
            if found.id == message_id:
                return found
        place = self._exchange.place("messages")
        raise ChatGoneError(place, problem="the message is not in the chat's list", status=404)

    async def memberships(self, chat_id: str) -> list[Membership]:
        """C11: who is, or was, in the chat.

        Raises:
            ChatGoneError: there is no such chat.
        """
        return await self._collect("memberships", f"{self._chat(chat_id)}/memberships", Membership)

    async def set_variable(self, visitor_id: str, key: str, value: str) -> None:
        """C4: what agents see beside the visitor; ``username`` is the name."""
        path = f"{self._orgs}/rooms/{self.connection.room_id}/visitors/{giosg_id(visitor_id)}/variables"
        await self._exchange.call(self._request("set_variable", "POST", path, {"key": key, "value": value}))

    @property
    def _orgs(self) -> str:
        return f"/api/v5/orgs/{self.connection.organization_id}"

    def _chat(self, chat_id: str) -> str:
        return f"{self._orgs}/owned_chats/{giosg_id(chat_id)}"

    def _request(self, name: CallName, method: Method, path: str, body: Body | None = None) -> Request:
        return Request(name, method, path, body, "Token", self.connection.api_token.get_secret_value())

    async def _ask(self, name: CallName, path: str, model: type[Model]) -> Model:
        return await self._exchange.ask(self._request(name, "GET", path), model)

    async def _collect(self, name: CallName, path: str, model: type[Model]) -> list[Model]:
        found = await self._exchange.collect(self._request(name, "GET", path), self._page)
        return [read(model, one, to=self._exchange.place(name)) for one in found]

    async def _page(self, request: Request) -> Page:
        return await self._exchange.ask(request, Page)


class Apis:
    """The APIs of all connections, open until the end of the block.

    ``on_outcome`` is told what became of each call. ``probe_wait_s``: how often a refused API token is tried again.
    """

    def __init__(
        self,
        connections: Connections,
        store: CaseStore,
        *,
        on_outcome: OnOutcome | None = None,
        probe_wait_s: float = PROBE_WAIT_S,
    ) -> None:
        self._outside = OutboundHttp()
        self._inside = OutboundHttp(private_addresses=True)
        self._apis = {}
        for one in connections.all():
            http = self._inside if one.is_local else self._outside
            self._apis[one.name] = GiosgApi(
                Exchange(one, http, on_outcome=on_outcome, probe_wait_s=probe_wait_s), store
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._outside, self._inside:
            pass

    def of(self, connection_name: str) -> GiosgApi:
        """The API of a connection that the file has."""
        return self._apis[connection_name]
