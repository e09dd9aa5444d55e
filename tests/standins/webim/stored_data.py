"""Webim's Stored Data API v2: operators, one chat, and chats in pages.

Source: specs/webim.md sections 3.3 and 9.1.
"""

from __future__ import annotations

import base64
import hmac

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from tests.standins.webim.world import CLOSED, Body, Chat, World, moment


def routes(world: World) -> APIRouter:
    """The Stored Data API of that account."""
    router = APIRouter(prefix="/api/v2")

    @router.get("/operators")
    async def operators(request: Request) -> JSONResponse:
        return _refusal(world, request) or JSONResponse(_operators(world))

    @router.get("/chat")
    async def chat(request: Request) -> JSONResponse:
        refusal = _refusal(world, request)
        if refusal is not None:
            return refusal
        wanted = request.query_params.get("id")
        if wanted is None:
            return JSONResponse({"error": "argument-missing"}, 400)
        found = world.chats.get(wanted)
        return (
            JSONResponse({"error": "chat-not-found"}, 404)
            if found is None
            else JSONResponse({"chat": _told(world, found)})
        )

    @router.get("/chats")
    async def chats(request: Request) -> JSONResponse:
        refusal = _refusal(world, request)
        if refusal is not None:
            return refusal
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            return JSONResponse({"error": "argument-missing"}, 400)
        return JSONResponse(_page(world, int(since)))

    return router


def _refusal(world: World, request: Request) -> JSONResponse | None:
    email, password = world.configuration.admin_email, world.configuration.admin_password
    expected = "Basic " + base64.b64encode(f"{email}:{password}".encode()).decode()
    given = request.headers.get("authorization", "")
    if email is not None and password is not None and hmac.compare_digest(given.encode(), expected.encode()):
        return None
    return JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": 'Basic realm="Webim"'})


def _operators(world: World) -> list[Body]:
    return [
        {
            "id": one.id,
            "full_name": one.full_name,
            "email": one.email,
            "status": "online" if one.online else "offline",
            "roles": ["operator"],
            "created_at": "2023-04-20T15:05:42Z",
        }
        for one in world.configuration.operators
    ]


def _page(world: World, since_us: int) -> Body:
    """The chats that changed after that moment, the longest ago first."""
    changed = sorted(
        (chat for chat in world.chats.values() if chat.changed_at_us > since_us), key=lambda chat: chat.changed_at_us
    )
    page = changed[: world.configuration.page_size]
    last_us = page[-1].changed_at_us if page else since_us
    return {
        "chats": [_told(world, chat) for chat in page],
        "last_ts": str(last_us),
        "more_chats_available": len(changed) > len(page),
    }


def _told(world: World, chat: Chat) -> Body:
    configuration = world.configuration
    told: Body = {
        "id": chat.id,
        "operator_id": chat.operator_id,
        "created_at": moment(chat.created_at_us),
        "visitor": chat.visitor or {"fields": {}},
        "messages": [message.stored(configuration.message_text_key) for message in chat.messages],
    }
    if chat.category is not None:
        told["category"] = chat.category
    if chat.owner == CLOSED and configuration.closed_mark == "state":
        told["state"] = "closed"
    if chat.closed_at_us is not None and chat.owner == CLOSED and configuration.closed_mark == "closed_at":
        told["closed_at"] = moment(chat.closed_at_us)
    return told
