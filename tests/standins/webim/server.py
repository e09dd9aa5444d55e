"""The simulated Webim as one HTTP server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys

import httpx2
import uvicorn
from fastapi import FastAPI

from tests.standins.connections import Server, TrackedProtocol
from tests.standins.webim import bot_api, control, stored_data
from tests.standins.webim.delivery import Courier
from tests.standins.webim.faults import Faults, recorded
from tests.standins.webim.world import World

GRACE_S = 1
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Bots are on loopback; reading the usual certificates takes longer than a test."""
NO_KEPT_CONNECTIONS = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
"""A connection to a bot that was killed would make the next delivery fail for no reason of the bot's."""


async def serve(port: int, *, with_stdin: bool) -> None:
    """Serve until SIGTERM or SIGINT; the port is printed as one JSON line when connections are taken.

    ``with_stdin``: also until stdin ends, so that it never outlives whoever started it.
    """
    # The protocol by name: asyncio turns Nagle off only for sockets that say what they are, and that is 40 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    world, faults = World(port=listener.getsockname()[1]), Faults()
    # No default timeout of the client's: the configuration has one for each delivery.
    async with httpx2.AsyncClient(trust_env=False, timeout=None, limits=NO_KEPT_CONNECTIONS, verify=NO_TLS) as client:
        courier = Courier(world, client)
        server = Server(_configuration(world, faults, courier))
        _end_on_signals(server)
        if with_stdin:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _end_with_stdin, server)
        listener.listen(1024)
        sys.stdout.write(json.dumps({"port": world.port}) + "\n")
        sys.stdout.flush()
        await server.serve(sockets=[listener])


def _configuration(world: World, faults: Faults, courier: Courier) -> uvicorn.Config:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(bot_api.routes(world))
    app.include_router(stored_data.routes(world))
    app.include_router(control.routes(world, faults, control.Control(world, faults, courier), courier))
    control.add_refusals(app)
    return uvicorn.Config(
        recorded(app, world, faults),
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


def _end_on_signals(server: Server) -> None:
    def end() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)


def _end_with_stdin(server: Server) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        server.should_exit = True
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
