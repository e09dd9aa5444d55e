"""The web application: the socket, the page, the widget's files, and what operators ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request, Response
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from broker.runtime.serving import add_probes
from workers.webchat.assets import Asset
from workers.webchat.door import Door
from workers.webchat.sockets import VisitorSocket

SOCKET_PATH = "/webchat/socket"


class SocketEndpoint:
    """Plain ASGI: FastAPI's own handling would cost each of ten thousand idle sockets several kilobytes."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one browser."""
        await VisitorSocket(self._door, WebSocket(scope, receive, send)).run()


def build_app(door: Door, assets: Mapping[str, Asset], *, is_ready: Callable[[], bool]) -> FastAPI:
    """The application, complete; it has no documentation pages, for it offers no API."""
    app = FastAPI(title="Heimdall webchat", docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.append(WebSocketRoute(SOCKET_PATH, SocketEndpoint(door)))

    add_probes(app, is_ready)

    @app.get("/{path:path}")
    async def asset(request: Request, path: str) -> Response:
        found = assets.get(f"/{path}")
        return Response("not found\n", 404, media_type="text/plain") if found is None else found.answer(request)

    return app
