"""The simulated giosg as one process with two HTTP servers on loopback: its own interfaces, and the control plane."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from tests.standins.connections import Server, TrackedProtocol
from tests.standins.giosg import control_routes, organization_api, public_api
from tests.standins.giosg.control import Control
from tests.standins.giosg.faults import Faults, Recorder
from tests.standins.giosg.webhooks import Courier
from tests.standins.giosg.world import Changes, World

STDIN = 0
GRACE_S = 1
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Endpoints are on loopback; reading the usual certificates takes longer than a test."""
NO_KEPT_CONNECTIONS = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
"""A connection to an adapter that was killed would make the next webhook fail for no reason of the adapter's."""


async def serve(port: int, control_port: int, *, with_stdin: bool) -> None:
    """Serve until SIGTERM or SIGINT; the ports are printed as one JSON line when connections are taken.

    ``with_stdin``: also until stdin ends, so that it never outlives whoever started it.
    """
    listeners = [_listener(port), _listener(control_port)]
    ports = [listener.getsockname()[1] for listener in listeners]
    world, faults = World(ports[0], Changes()), Faults()
    # No default timeout of the client's: the configuration has one for each delivery.
    async with httpx2.AsyncClient(trust_env=False, timeout=None, limits=NO_KEPT_CONNECTIONS, verify=NO_TLS) as client:
        courier = Courier(world, client)
        control = Control(world, faults, courier)
        servers = [
            Server(_settings(Recorder(_giosg(world), world, faults, courier))),
            Server(_settings(control_routes.application(control))),
        ]
        end = _ending(servers, world)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end)
        if with_stdin:
            asyncio.get_running_loop().add_reader(STDIN, _end_with_stdin, end)
        for listener in listeners:
            listener.listen(1024)
        sys.stdout.write(json.dumps({"port": ports[0], "control_port": ports[1]}) + "\n")
        sys.stdout.flush()
        serving = (server.serve(sockets=[one]) for server, one in zip(servers, listeners, strict=True))
        await asyncio.gather(*serving)
        await courier.forget()


def _listener(port: int) -> socket.socket:
    # The protocol by name: asyncio turns Nagle off only for sockets that say what they are, and that is 40 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _ending(servers: list[Server], world: World) -> Callable[[], None]:
    def end() -> None:
        asyncio.get_running_loop().remove_reader(STDIN)
        world.changes.close()  # nobody shall wait for more of them
        for server in servers:
            server.should_exit = True

    return end


def _end_with_stdin(end: Callable[[], None]) -> None:
    if not os.read(STDIN, 1024):
        end()


def _giosg(world: World) -> Starlette:
    routes = [*public_api.routes(world), *organization_api.routes(world)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _as_json})
    app.router.redirect_slashes = False
    return app


def _as_json(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def _settings(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=TrackedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
