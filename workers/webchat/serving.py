"""Runs the web application until it is told to stop, and stops it within seconds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from broker.errors import PortTakenError
from workers.webchat.settings import WebchatSettings
from workers.webchat.wire import FRAME_BYTES_MAX

PING_INTERVAL_S = 20.0
PING_WAIT_S = 20.0
GRACE_S = 2
"""What may still end by itself after browsers were told (1012) to come back to another process."""
BACKLOG_MAX = 2_048

log = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: signals are the main's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(app: FastAPI, settings: WebchatSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set.

    Raises:
        PortTakenError: somebody else listens there.
    """
    server = Server(_configuration(app, settings))
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    log.info("page_served", url=f"http://{host}:{port}/")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _configuration(app: FastAPI, settings: WebchatSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        backlog=BACKLOG_MAX,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_WAIT_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def _listen(settings: WebchatSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise PortTakenError(settings.port, option="HEIMDALL_WEBCHAT_PORT") from error
    return listener
