"""giosg's API as one visitor sees it: one method for each call that is made.

Source: specs/giosg.md section 3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from broker.domain.wire import Body
from broker.errors import IdentityLostError, VisitorTokenRefusedError
from workers.giosg.calls.exchange import Exchange
from workers.giosg.calls.outcomes import Model, read
from workers.giosg.calls.request import CallName, Method, Request, giosg_id
from workers.giosg.calls.tokens import Token, VisitorTokens
from workers.giosg.cases.identity import Identity
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.wire import ChatView, MessageView, Page, in_order

MakeRequest = Callable[[Token], Request]
"""A call as it is made with a token, which says who the visitor is."""


class VisitorCalls:
    """One connection as one visitor sees it; tokens are got, renewed and repeated with by themselves.

    Every method may raise IdentityLostError: giosg no longer knows the visitor; a new identity has been kept, the
    next call is made with that, and what the old one had, its chats, is out of reach. A process that stopped right
    then leaves a chat that the new identity has not: ChatGoneError, though the organization still sees the chat.
    Whoever opens a chat just begins again with either.
    """

    def __init__(self, exchange: Exchange, tokens: VisitorTokens, visitor_key: str) -> None:
        self._exchange = exchange
        self._tokens = tokens
        self._visitor_key = visitor_key

    async def identity(self) -> Identity:
        """Who the visitor is; C1 if it is nobody yet, and kept before it is told."""
        return await self._tokens.identity(self._visitor_key)

    async def enter_room(self) -> None:
        """C2; again and again does no harm.

        Raises:
            RoomUnknownError: there is no such room.
        """
        await self._call(self._visits("enter_room", "POST", with_id=True))

    async def keep_present(self) -> None:
        """C3: the visitor is still there."""
        await self._call(self._visits("keep_present", "PATCH", with_id=False))

    async def create_chat(self) -> ChatView:
        """C6, with no other retries than those that cannot make a second chat.

        Raises:
            ChannelError: with ``may_be_taken`` there may be a chat now: look for it.
            ChannelRejectedError: refused, as in a room that is offline; ``status`` and ``desc`` are giosg's.
        """
        chat_type = self._connection.chat_type
        body: Body = {} if chat_type == "visitor" else {"chat_type": chat_type}

        def request(token: Token) -> Request:
            path = f"{self._rooms}/visitors/{token.visitor_id}/chats"
            return _as(token, "create_chat", "POST", path, body)

        return await self._ask(request, ChatView)

    async def chats(self) -> list[ChatView]:
        """C7: all chats of the visitor."""
        found = await self._collect("chats", "chats")
        return [read(ChatView, one, to=self._exchange.place("chats")) for one in found]

    async def send(self, chat_id: str, text: str) -> MessageView:
        """C9, with no other retries than those that cannot say it twice.

        Raises:
            ChannelError: with ``may_be_taken`` it may have been said: look for it.
            ChannelRejectedError: refused; C8 tells whether the chat has ended.
            ChatGoneError: the visitor has no such chat, or not any more.
        """
        body: Body = {"type": "msg", "message": text}
        return await self._ask(self._of("send", "POST", f"chats/{giosg_id(chat_id)}/messages", body), MessageView)

    async def messages(self, chat_id: str) -> list[MessageView]:
        """C10: everything in the chat, oldest first.

        Raises:
            ChatGoneError: the visitor has no such chat.
        """
        found = await self._collect("messages", f"chats/{giosg_id(chat_id)}/messages")
        return in_order([read(MessageView, one, to=self._exchange.place("messages")) for one in found])

    async def participate(self, chat_id: str, *, participating: bool, composing: str) -> None:
        """C12: the visitor writes, or leaves; known of old documents only, so any status may come.

        Raises:
            ChannelRejectedError: giosg does not have that; ``status`` says how.
        """
        body: Body = {"is_participating": participating, "composing_status": composing}
        await self._call(self._of("participate", "PUT", f"chat_memberships/{giosg_id(chat_id)}", body))

    async def end(self, chat_id: str) -> None:
        """C13: the visitor ends the chat, for good; again does no harm.

        Raises:
            ChannelRejectedError: giosg does not let visitors do that; ``status`` says how.
        """
        await self._call(self._of("end", "PATCH", f"chats/{giosg_id(chat_id)}", {"is_ended": True}))

    @property
    def _connection(self) -> GiosgConnection:
        return self._exchange.connection

    @property
    def _rooms(self) -> str:
        connection = self._connection
        return f"/api/v5/public/orgs/{connection.organization_id}/rooms/{connection.room_id}"

    def _visits(self, name: CallName, method: Method, *, with_id: bool) -> MakeRequest:
        present_s = self._connection.presence_seconds
        presence: Body = {"presence_expires_in": present_s} if present_s else {}

        def request(token: Token) -> Request:
            visits = f"{self._rooms}/visitors"
            if with_id:
                return _as(token, name, method, visits, {"id": token.visitor_id, **presence})
            return _as(token, name, method, f"{visits}/{token.visitor_id}", presence)

        return request

    @staticmethod
    def _of(name: CallName, method: Method, tail: str, body: Body | None = None) -> MakeRequest:
        def request(token: Token) -> Request:
            return _as(token, name, method, f"/api/v5/public/visitors/{token.visitor_id}/{tail}", body)

        return request

    async def _collect(self, name: CallName, tail: str) -> list[Any]:
        async def ask(page: Request) -> Page:
            return await self._ask(lambda token: _as(token, name, "GET", page.path), Page)

        token = await self._tokens.token(self._visitor_key)
        return await self._exchange.collect(self._of(name, "GET", tail)(token), ask)

    async def _call(self, request: MakeRequest) -> None:
        token = await self._tokens.token(self._visitor_key)
        with contextlib.suppress(VisitorTokenRefusedError):
            return await self._exchange.call(request(token))
        token = await self._again(token)
        try:
            await self._exchange.call(request(token))
        except VisitorTokenRefusedError as error:
            raise await self._tokens.lose(self._visitor_key, token) from error

    async def _ask(self, request: MakeRequest, model: type[Model]) -> Model:
        token = await self._tokens.token(self._visitor_key)
        with contextlib.suppress(VisitorTokenRefusedError):
            return await self._exchange.ask(request(token), model)
        token = await self._again(token)
        try:
            return await self._exchange.ask(request(token), model)
        except VisitorTokenRefusedError as error:
            raise await self._tokens.lose(self._visitor_key, token) from error

    async def _again(self, refused: Token) -> Token:
        """Another token for the same visitor."""
        token = await self._tokens.token(self._visitor_key, refused=refused)
        if token.visitor_id != refused.visitor_id:  # another process found out first
            raise IdentityLostError(self._exchange.place("authenticate"))
        return token


def _as(token: Token, name: CallName, method: Method, path: str, body: Body | None = None) -> Request:
    return Request(name, method, path, body, "Bearer", token.value)
