"""Runs a web application until it is told to stop, and stops it within seconds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from broker.errors import PortTakenError

GRACE_S = 2
"""What may still end by itself once the stop was asked for."""
BACKLOG_MAX = 2_048

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen; ``option`` is the variable that names the port, and ``served`` the event that is logged."""

    host: str
    port: int
    option: str
    served: str


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: signals are the main's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(app: Any, place: Place, stop: asyncio.Event, **options: Any) -> None:
    """Serve an ASGI application until ``stop`` is set; ``options`` are uvicorn's, and win over ours.

    Raises:
        PortTakenError: somebody else listens there.
    """
    server = Server(uvicorn.Config(app, **{**_usual(), **options}))
    listener = _listen(place)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    log.info(place.served, url=f"http://{host}:{port}/")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _usual() -> dict[str, Any]:
    return {
        "loop": "none",
        "http": "h11",
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "backlog": BACKLOG_MAX,
        "timeout_graceful_shutdown": GRACE_S,
    }


def _listen(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    # With the protocol named, asyncio sends small writes at once; else each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((place.host, place.port))
    except OSError as error:
        listener.close()
        raise PortTakenError(place.port, option=place.option) from error
    return listener


def add_probes(app: FastAPI, is_ready: Callable[[], bool]) -> None:
    """What operators ask a worker that has a web application of its own: /healthz, /readyz, /metrics."""

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        ready = is_ready()
        return Response("ready\n" if ready else "not ready\n", 200 if ready else 503, media_type="text/plain")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
