"""Webim's Bot API, as a bot calls it: each rule of specs/webim.md section 9.1.

The codes of errors are our own: an adapter must not depend on them.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tests.standins.webim.strictness import METHODS, REDIRECT, SEND, wrong_in_call
from tests.standins.webim.world import BOT, QUEUE, Body, Chat, World


class CallError(Exception):
    """The call is answered so, and nothing else happens."""

    def __init__(self, status: int, code: str, desc: str, *, violates: bool = False) -> None:
        super().__init__(desc)
        self.status = status
        self.code = code
        self.desc = desc
        self.violates = violates


def routes(world: World) -> APIRouter:
    """The Bot API of that account."""
    router = APIRouter(prefix="/api/bot/v2")

    @router.get("/file/{file_id}")
    async def download(file_id: str) -> Response:
        found = world.files.get(file_id)
        if found is None:
            return JSONResponse({"error": "file-not-found"}, 404)
        return Response(found["content"], media_type=found["media_type"])

    @router.post("/{method}")
    async def call(method: str, request: Request) -> Response:
        try:
            body = _body_of(world, method, request, await request.body())
            carry_out(world, method, body)
        except CallError as error:
            if error.violates:
                world.violations.append({"path": request.url.path, "problem": error.desc})
            return JSONResponse({"error": error.code, "desc": error.desc}, error.status)
        return JSONResponse({"result": "ok"})

    return router


def _body_of(world: World, method: str, request: Request, data: bytes) -> Body:
    if not _is_authorised(world, request):
        raise CallError(401, "unauthorized", "the bot token is missing or wrong")
    if method not in METHODS:
        raise CallError(404, "method-not-found", f"no method {method}", violates=True)
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise CallError(400, "invalid-request", "Content-Type is not application/json", violates=True)
    try:
        body: Any = json.loads(data.decode())
    except ValueError:
        raise CallError(400, "invalid-request", "the body is no JSON", violates=True) from None
    if not isinstance(body, dict) or "chat_id" not in body:
        raise CallError(400, "invalid-request", "the body has no chat_id", violates=True)
    if problem := wrong_in_call(method, body):
        raise CallError(400, "invalid-request", problem, violates=True)
    return body


def _is_authorised(world: World, request: Request) -> bool:
    token = world.configuration.bot_token
    given = request.headers.get("authorization", "")
    return token is not None and hmac.compare_digest(given.encode(), f"Token {token}".encode())


def carry_out(world: World, method: str, body: Body) -> None:
    """Do what a well-formed call asks for.

    Raises:
        CallError: it cannot be done.
    """
    chat = _chat_of(world, body["chat_id"])
    if method == SEND:
        say(world, chat, body["message"])
    elif method == REDIRECT:
        _redirect(world, chat, body)
    else:
        world.close(chat, "bot")


def _chat_of(world: World, chat_id: Any) -> Chat:
    chat = world.chats.get(str(chat_id))
    if chat is None:
        raise CallError(404, "chat-not-found", f"no chat {str(chat_id)[:40]}")
    if type(chat_id) is not type(chat.id):
        problem = f"chat_id is a {type(chat_id).__name__}, it was given as {type(chat.id).__name__}"
        raise CallError(400, "invalid-request", problem, violates=True)
    if chat.owner != BOT:
        raise CallError(200, "chat-not-assigned", f"the chat is with {chat.owner}")
    return chat


def say(world: World, chat: Chat, message: Body) -> None:
    """A message of the bot, checked already."""
    content = {key: value for key, value in message.items() if key != "kind"}
    if message["kind"] == "keyboard":
        content = {"data": {"buttons": message["buttons"]}}
    world.add(chat, message["kind"], "bot", content)


def _redirect(world: World, chat: Chat, body: Body) -> None:
    if "operator_id" in body:
        redirect_to_operator(world, chat, body["operator_id"])
    elif "dep_key" in body:
        redirect_to_department(world, chat, body["dep_key"])
    elif world.configuration.redirects_to_queue:
        chat.owner = QUEUE
        world.touch(chat)
    else:
        raise CallError(400, "argument-missing", "redirect_chat needs operator_id or dep_key")


def redirect_to_operator(world: World, chat: Chat, operator_id: int) -> None:
    """The chat to an operator who is there.

    Raises:
        CallError: nobody of that id is.
    """
    if world.online_operator(operator_id) is None:
        raise CallError(200, "operator-offline", f"operator {operator_id} is not online")
    chat.owner = f"operator:{operator_id}"
    world.touch(chat)


def redirect_to_department(world: World, chat: Chat, key: str) -> None:
    """The chat to the queue of a department that works.

    Raises:
        CallError: none of that key does.
    """
    if not world.has_online_department(key):
        raise CallError(200, "department-offline", f"department {key} is not online")
    chat.owner = QUEUE
    chat.department = key
    world.touch(chat)
