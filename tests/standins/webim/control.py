"""The control interface: how a test plays the visitors, the operators and the installation.

Source: specs/webim.md section 9.3.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from tests.standins.webim import events
from tests.standins.webim.configuration import Configuration
from tests.standins.webim.delivery import Courier, Mode
from tests.standins.webim.faults import CONTROL_PREFIX, Fault, Faults
from tests.standins.webim.orders import (
    ByVisitor,
    CloseOrder,
    ModeOrder,
    OpenOrder,
    OperatorOrder,
    RawOrder,
    UnknownError,
    content_of,
)
from tests.standins.webim.world import BOT, CLOSED, QUEUE, Body, Chat, World


class Control:
    """What the control calls do; each returns the JSON that is answered."""

    def __init__(self, world: World, faults: Faults, courier: Courier) -> None:
        self._world = world
        self._faults = faults
        self._courier = courier
        self._running: set[asyncio.Task[object]] = set()

    async def reset(self) -> Body:
        """Begin anew: no chats, no faults, no records, the usual configuration."""
        for task in self._running:
            task.cancel()
        self._world.begin_anew()
        self._faults.waiting.clear()
        self._courier.forget()
        return {"result": "ok"}

    def configure(self, changes: Body) -> Body:
        """Change some fields of the configuration."""
        merged = {**self._world.configuration.model_dump(), **changes}
        self._world.configuration = Configuration.model_validate(merged)
        return self._world.configuration.model_dump(mode="json")

    async def open_chat(self, order: OpenOrder) -> Body:
        """A visitor comes."""
        world = self._world
        chat = world.open_chat(order.visitor_of(world), order.location)
        written: object = events.MISSING
        if "messages" in order.model_fields_set:
            written = order.messages
            if order.messages is not None:
                written = [self._added(chat, said) for said in order.messages]
        event = events.new_chat(world.configuration, chat, written, order.extra)
        told = await self._courier.call_handler("chat_started", chat)
        sent = await self._sent(chat, event, wait=order.wait)
        return {"chat_id": chat.id, "deliveries": sent, "handler": told}

    def _added(self, chat: Chat, said: str | ByVisitor | Body) -> Body:
        """One message of a chat that begins with some, as the event tells it."""
        with_id = self._world.configuration.has_message_ids
        if isinstance(said, dict):  # as it is, whatever it is: other people's messages, and malformed ones
            content = {key: value for key, value in said.items() if key not in ("kind", "id")}
            author = "operator" if "operator" in str(said.get("kind")) else "system"
            message = self._world.add(chat, str(said.get("kind")), author, content)
            return {**({"id": message.id} if with_id else {}), **said}
        words = ByVisitor(text=said) if isinstance(said, str) else said
        kind, content = content_of(self._world, chat, words)
        return self._world.add(chat, kind, "visitor", content).delivered(with_id=with_id)

    async def visitor_writes(self, chat: Chat, order: ByVisitor) -> Body:
        """A message to whoever has the chat; the bot hears of it if that is the bot, or if the order says so."""
        kind, content = content_of(self._world, chat, order)
        message = self._world.add(chat, kind, "visitor", content)
        event = {**events.new_message(self._world.configuration, chat, message), **order.extra}
        deliver = chat.owner == BOT if order.deliver is None else order.deliver
        sent = await self._sent(chat, event, wait=order.wait) if deliver else []
        return {"message": message.transcript(), "deliveries": sent}

    async def operator_writes(self, chat: Chat, order: OperatorOrder) -> Body:
        """A person writes, and has the chat from then on; the bot is not told."""
        operator = self._world.online_operator(order.operator_id or chat.operator_id)
        if operator is None:
            raise UnknownError("no such operator is online")
        handler = await self._assign(chat, operator.id)
        content: Body = {"text": order.text} if order.file is None else {"data": order.file.stored_by(self._world)}
        kind = "operator" if order.file is None else "file_operator"
        message = self._world.add(chat, kind, "operator", content, operator.id)
        return {"message": message.transcript(), "handler": handler}

    async def _assign(self, chat: Chat, operator_id: int) -> list[Body]:
        if chat.owner == f"operator:{operator_id}":
            return []
        chat.owner = f"operator:{operator_id}"
        self._world.touch(chat)
        return await self._courier.call_handler("chat_assigned", chat)

    async def close(self, chat: Chat, order: CloseOrder) -> Body:
        """The chat is over."""
        if chat.owner != CLOSED:
            self._world.close(chat, order.by)
        return {"handler": await self._courier.call_handler("chat_closed", chat)}

    async def return_to_bot(self, chat: Chat) -> Body:
        """The operator gives the chat back; the bot hears of it as of a new one."""
        chat.owner, chat.department = BOT, None
        self._world.touch(chat)
        with_id = self._world.configuration.has_message_ids
        written = [message.delivered(with_id=with_id) for message in chat.messages]
        event = events.new_chat(self._world.configuration, chat, written, {})
        return {"chat_id": chat.id, "deliveries": await self._sent(chat, event, wait=True)}

    async def to_queue(self, chat: Chat) -> Body:
        """Webim takes the chat from the bot by itself."""
        chat.owner = QUEUE
        self._world.touch(chat)
        return {"owner": chat.owner}

    async def raw(self, order: RawOrder) -> Body:
        """Any bytes to the endpoint."""
        url = self._world.configuration.endpoint_urls[0] + order.path_suffix
        content = base64.b64decode(order.body_base64)
        return await self._courier.raw(order.method, url, order.headers, content)

    def chat(self, chat_id: str) -> Chat:
        """The chat of that id.

        Raises:
            UnknownError: there is none.
        """
        if chat_id not in self._world.chats:
            raise UnknownError(f"no chat {chat_id}")
        return self._world.chats[chat_id]

    async def _sent(self, chat: Chat, event: Body, *, wait: bool) -> list[Body]:
        sending = asyncio.create_task(self._courier.deliver(chat, event))
        if wait:
            return await sending
        self._running.add(sending)
        sending.add_done_callback(self._running.discard)
        return []


def routes(world: World, faults: Faults, control: Control, courier: Courier) -> APIRouter:
    """The addresses of the control calls."""
    router = APIRouter(prefix=CONTROL_PREFIX)

    def post(path: str, act: Callable[[Request, Body], Coroutine[Any, Any, object]]) -> None:
        async def called(request: Request) -> JSONResponse:
            data = await request.body()
            return JSONResponse(await act(request, await request.json() if data else {}))

        router.add_api_route(path, called, methods=["POST"], response_model=None)

    def chat_of(request: Request) -> Chat:
        return control.chat(request.path_params["chat_id"])

    async def configured(_: Request, body: Body) -> object:
        return control.configure(body)

    async def faulted(_: Request, body: Body) -> object:
        faults.waiting.append(Fault.model_validate(body))
        return {"waiting": len(faults.waiting)}

    async def moded(_: Request, body: Body) -> object:
        order = ModeOrder.model_validate(body)
        return {"deliveries": await courier.change(Mode.named(order.mode, order.second))}

    post("/reset", lambda _, __: control.reset())
    post("/config", configured)
    post("/chats", lambda _, body: control.open_chat(OpenOrder.model_validate(body)))
    post("/chats/{chat_id}/visitor", lambda r, body: control.visitor_writes(chat_of(r), ByVisitor.model_validate(body)))
    post(
        "/chats/{chat_id}/operator",
        lambda r, body: control.operator_writes(chat_of(r), OperatorOrder.model_validate(body)),
    )
    post("/chats/{chat_id}/close", lambda r, body: control.close(chat_of(r), CloseOrder.model_validate(body)))
    post("/chats/{chat_id}/return-to-bot", lambda r, _: control.return_to_bot(chat_of(r)))
    post("/chats/{chat_id}/queue", lambda r, _: control.to_queue(chat_of(r)))
    post("/raw", lambda _, body: control.raw(RawOrder.model_validate(body)))
    post("/faults", faulted)
    post("/deliver-mode", moded)
    _add_reads(router, world, faults, control)
    return router


def _add_reads(router: APIRouter, world: World, faults: Faults, control: Control) -> None:
    def get(path: str, read: Callable[[Request], object]) -> None:
        async def called(request: Request) -> JSONResponse:
            return JSONResponse(read(request))

        router.add_api_route(path, called, methods=["GET"], response_model=None)

    def since(request: Request) -> int:
        return int(request.query_params.get("since", "0"))

    get("/config", lambda _: world.configuration.model_dump(mode="json"))
    get("/chats", lambda _: {"chats": [chat.transcript() for chat in world.chats.values()]})
    get("/chats/{chat_id}", lambda request: control.chat(request.path_params["chat_id"]).transcript())
    get("/calls", lambda request: {"calls": world.calls[since(request) :]})
    get("/deliveries", lambda request: {"deliveries": world.deliveries[since(request) :]})
    get("/violations", lambda _: {"violations": world.violations})
    get("/faults", lambda _: {"faults": [one.model_dump(exclude_defaults=True) for one in faults.waiting]})

    @router.delete("/faults")
    async def taken_back() -> JSONResponse:
        faults.waiting.clear()
        return JSONResponse({"result": "ok"})


def add_refusals(app: FastAPI) -> None:
    """A control call that makes no sense is told so, with the reason."""

    async def refused(_: Request, error: Exception) -> JSONResponse:
        status = 404 if isinstance(error, UnknownError) else 422
        return JSONResponse({"error": str(error)}, status)

    for kind in (UnknownError, ValidationError, ValueError):
        app.add_exception_handler(kind, refused)
