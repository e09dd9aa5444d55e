"""One call of giosg's API: reading it, refusing it, answering it, and the pages of collections."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.standins.giosg import chats
from tests.standins.giosg.world import Body, World

EVENTS = "giosg.events"
"""The key of the scope under which a call's events are left for the recorder, which sends them."""


class RefusedError(Exception):
    """The call is answered so, and nothing else happens."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = {"detail": body} if isinstance(body, str) else body
        self.headers = headers


@dataclass(slots=True)
class Reply:
    """``body`` as JSON."""

    body: object
    status: int = 200


@dataclass(slots=True)
class Call:
    """A call whose body was read."""

    world: World
    request: Request
    body: Body = field(default_factory=dict)

    def part(self, name: str) -> str | None:
        """A part of the path, None if that path has no such part."""
        return self.request.path_params.get(name)

    def page(self, items: list[Body]) -> Reply:
        """One page of a collection, with addresses of those beside it."""
        query = dict(self.request.query_params)
        size = self.world.configuration.page_size
        number = query.get("page", "1")
        last = max(1, -(-len(items) // size))
        if not number.isdecimal() or not 1 <= int(number) <= last:
            raise RefusedError(404, "Invalid page.")
        place = int(number)
        body = {
            "next": self._page_url(query, place + 1) if place < last else None,
            "previous": self._page_url(query, place - 1) if place > 1 else None,
            "results": items[(place - 1) * size : place * size],
        }
        return Reply(body)

    def _page_url(self, query: dict[str, str], number: int) -> str:
        origin = self.world.configuration.next_origin or f"http://{self.request.headers['host']}"
        return f"{origin}{self.request.url.path}?{urlencode({**query, 'page': str(number)})}"


def endpoint(world: World, handle: Callable[[Call], Reply]) -> Callable[[Request], Awaitable[Response]]:
    """Serve one call; refusals become JSON with the status of the rule."""

    async def called(request: Request) -> Response:
        data = await request.body()
        # From here on nothing waits: what is emitted below belongs to this call.
        try:
            _check_rate(world)
            _check_accept(world, request)
            chats.end_idle(world)
            reply = handle(Call(world, request, _body_of(world, request, data)))
            return JSONResponse(reply.body, reply.status)
        except RefusedError as error:
            return JSONResponse(error.body, error.status, headers=error.headers)
        except chats.LockedError:
            return JSONResponse({"detail": "The chat has ended."}, world.configuration.ended_status)
        finally:
            request.scope[EVENTS].extend(world.take_events())

    return called


def _check_rate(world: World) -> None:
    limit = world.configuration.rate_limit
    if limit is None:
        return
    begin_ms = time.time_ns() // 1_000_000 - world.configuration.rate_window_ms
    # This call stands in the records already.
    if sum(call["at_ms"] > begin_ms and call["status"] != 429 for call in world.calls) > limit:
        wait_s = max(1, world.configuration.rate_window_ms // 1000)
        raise RefusedError(429, "Request was throttled.", {"Retry-After": str(wait_s)})


def _check_accept(world: World, request: Request) -> None:
    accepts = request.headers.get("accept", "*/*")
    wanted = any(kind in accepts for kind in ("application/json", "*/*", "application/*"))
    if world.enforces("media_type") and not wanted and request.query_params.get("format") != "json":
        raise RefusedError(406, "Could not satisfy the request Accept header.")


def _body_of(world: World, request: Request, data: bytes) -> Body:
    if not data:
        return {}
    kind = request.headers.get("content-type", "")
    if world.enforces("media_type") and not kind.startswith("application/json"):
        raise RefusedError(415, f'Unsupported media type "{kind[:80]}" in request.')
    try:
        body: Any = json.loads(data.decode())
    except ValueError:
        raise RefusedError(400, "JSON parse error") from None
    if not isinstance(body, dict):
        raise RefusedError(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]})
    return body
