"""The addresses of the control plane, and of the console that uses it; on a port of their own."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from tests.standins.giosg import chats, orders, views
from tests.standins.giosg.control import OK, Control, UnknownError, agent_record
from tests.standins.giosg.faults import Fault
from tests.standins.giosg.world import Body, Chat

STATIC = Path(__file__).parent / "static"
KEEP_ALIVE_S = 15.0
_OBJECT = TypeAdapter(dict[str, Any])

Kind = TypeVar("Kind", bound=orders.Order)
Act = Callable[[Request], Awaitable[object]]


def application(control: Control) -> Starlette:
    """The control plane as an application."""
    routes: list[BaseRoute] = [
        *_of_the_whole(control),
        *_of_the_organization(control),
        *_of_chats(control),
        *_reads(control),
        Route("/", lambda _: RedirectResponse("/console/"), methods=["GET"]),
        Mount("/console", StaticFiles(directory=STATIC, html=True)),
    ]
    refusals: dict[Any, Any] = {UnknownError: _refused(404), ValidationError: _refused(422), ValueError: _refused(422)}
    refusals |= {chats.LockedError: _refused(409), chats.InvisibleError: _refused(409)}
    return Starlette(routes=routes, exception_handlers=refusals)


def _refused(status: int) -> Callable[[Request, Exception], Response]:
    def refused(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error) or type(error).__name__}, status)

    return refused


def _route(method: str, path: str, act: Act) -> Route:
    async def called(request: Request) -> Response:
        # Browsers say where an order comes from: pages of others have none to give.
        if method != "GET" and request.headers.get("origin") not in (None, f"http://{request.headers.get('host')}"):
            return JSONResponse({"error": "this is another page's order"}, 403)
        return JSONResponse(await act(request))

    return Route(path, called, methods=[method])


async def _body(request: Request) -> Body:
    return _OBJECT.validate_json(await request.body() or b"{}")


def _ordered(control: Control, kind: type[Kind], act: Callable[[Request, Kind], object]) -> Act:
    """An order whose webhooks go out before it is answered, or are left on their way."""

    async def called(request: Request) -> object:
        order = kind.model_validate(await _body(request))
        try:
            return act(request, order)
        finally:  # what was done of an order that failed halfway was done
            await control.send(wait=order.wait)

    return called


def _of_the_whole(control: Control) -> list[BaseRoute]:
    async def reset(_: Request) -> object:
        return await control.reset()

    async def configure(request: Request) -> object:
        return control.configure(await _body(request))

    async def add_fault(request: Request) -> object:
        control.faults.waiting.append(Fault.model_validate(await _body(request)))
        return OK

    async def clear_faults(_: Request) -> object:
        control.faults.waiting.clear()
        return OK

    async def settle(_: Request) -> object:
        await control.courier.settle()
        return OK

    async def forge(request: Request) -> object:
        body = await _body(request)
        order = orders.WebhookOrder.model_validate(body)
        return await control.forge(order.model_dump(), has_resource="resource" in body)

    async def raw(request: Request) -> object:
        return await _raw(control, orders.RawOrder.model_validate(await _body(request)))

    return [
        _route("POST", "/reset", reset),
        _route("POST", "/config", configure),
        _route("POST", "/faults", add_fault),
        _route("DELETE", "/faults", clear_faults),
        _route("POST", "/settle", settle),
        _route("POST", "/webhook", forge),
        _route("POST", "/raw", raw),
        _route("POST", "/clock", _ordered(control, orders.ClockOrder, lambda _, order: control.set_clock(order))),
    ]


async def _raw(control: Control, order: orders.RawOrder) -> Body:
    content = base64.b64decode(order.body_base64)
    began_s = time.monotonic()
    answer = await control.courier.client.request(order.method, order.url, headers=order.headers, content=content)
    ms = round((time.monotonic() - began_s) * 1000, 1)
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": answer.text, "ms": ms}


def _of_the_organization(control: Control) -> list[BaseRoute]:
    def post(path: str, kind: type[Kind], act: Callable[[Request, Kind], object]) -> Route:
        return _route("POST", path, _ordered(control, kind, act))

    return [
        post("/rooms/{id}", orders.RoomOrder, lambda r, order: control.set_room(r.path_params["id"], order)),
        post("/agents", orders.AgentOrder, lambda _, order: control.add_agent(order)),
        post("/api-tokens", orders.TokensOrder, lambda _, order: control.set_api_tokens(order)),
        post("/visitor-tokens/expire", orders.ExpireOrder, lambda _, order: control.expire_tokens(order)),
        post("/visitors/{id}/forget-secret", orders.Order, lambda r, _: control.forget_secret(r.path_params["id"])),
        post("/foreign-chats", orders.ForeignOrder, lambda _, order: control.foreign_chat(order)),
    ]


def _of_chats(control: Control) -> list[BaseRoute]:
    world = control.world

    def post(path: str, kind: type[Kind], act: Callable[[Chat, Kind, Request], object]) -> Route:
        def acted(request: Request, order: Kind) -> object:
            return act(control.chat(request.path_params["chat_id"]), order, request) or OK

        return _route("POST", f"/chats/{{chat_id}}{path}", _ordered(control, kind, acted))

    def visitor_says(chat: Chat, order: orders.TextOrder, _: Request) -> object:
        return views.message(world, chat, chats.visitor_says(world, chat, order.text))

    def edit(chat: Chat, order: orders.TextOrder, request: Request) -> None:
        chats.edit_message(world, chat, control.message(chat, request.path_params["id"]), order.text)

    def remove_message(chat: Chat, _: orders.Order, request: Request) -> None:
        chats.remove_message(world, chat, control.message(chat, request.path_params["id"]))

    return [
        post("/join", orders.ByAgent, lambda chat, order, _: control.join(chat, order)),
        post("/say", orders.SayOrder, lambda chat, order, _: control.say(chat, order)),
        post("/type", orders.TypeOrder, lambda chat, order, _: control.type(chat, order)),
        post("/leave", orders.ByAgent, lambda chat, order, _: control.leave(chat, order)),
        post("/end", orders.EndOrder, lambda chat, order, _: control.end(chat, order)),
        post("/tag", orders.TagOrder, lambda chat, order, _: chats.tag(world, chat, order.name)),
        post("/remove", orders.Order, lambda chat, _, __: chats.remove(world, chat)),
        post("/visitor", orders.TextOrder, visitor_says),
        post("/messages/{id}/edit", orders.TextOrder, edit),
        post("/messages/{id}/remove", orders.Order, remove_message),
    ]


def _reads(control: Control) -> list[BaseRoute]:
    world = control.world

    def get(path: str, read: Callable[[Request], object]) -> Route:
        async def called(request: Request) -> object:
            return read(request)

        return _route("GET", path, called)

    def since(request: Request) -> int:
        return int(request.query_params.get("since", "0"))

    return [
        get("/config", lambda _: world.configuration.model_dump(mode="json")),
        get("/state", lambda _: control.state()),
        get("/rooms", lambda _: {"rooms": [views.room(world, room) for room in world.rooms.values()]}),
        get("/agents", lambda _: {"agents": [agent_record(agent) for agent in world.agents.values()]}),
        get("/visitors", lambda _: {"visitors": control.state()["visitors"]}),
        get("/chats", lambda _: {"chats": [views.whole_chat(world, chat) for chat in world.chats.values()]}),
        get("/chats/{id}", lambda request: views.whole_chat(world, control.chat(request.path_params["id"]))),
        get("/calls", lambda request: {"calls": world.calls[since(request) :]}),
        get("/deliveries", lambda request: {"deliveries": world.deliveries[since(request) :]}),
        get("/faults", lambda _: {"faults": [one.model_dump(exclude_defaults=True) for one in control.faults.waiting]}),
        Route("/changes", _changes(control), methods=["GET"]),
    ]


def _changes(control: Control) -> Callable[[Request], Awaitable[Response]]:
    """Server-sent events: one with the version at the beginning, and one whenever something has happened."""
    changes = control.world.changes

    async def told() -> AsyncIterator[str]:
        version = -1
        while not changes.is_closed:
            seen, version = version, changes.version
            yield f"data: {json.dumps({'version': version})}\n\n" if seen != version else ": still here\n\n"
            await changes.after(version, KEEP_ALIVE_S)

    async def called(_: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)

    return called
