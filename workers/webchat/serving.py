"""How this worker's web application is run: WebSockets with bounds, and who may tell a visitor's address."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from broker.runtime.serving import Place
from broker.runtime.serving import serve as serve_app
from workers.webchat.settings import WebchatSettings
from workers.webchat.wire import FRAME_BYTES_MAX

PING_INTERVAL_S = 20.0
PING_WAIT_S = 20.0


async def serve(app: FastAPI, settings: WebchatSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; browsers are told (1012) to come back to another process.

    Raises:
        PortTakenError: somebody else listens there.
    """
    place = Place(settings.host, settings.port, "HEIMDALL_WEBCHAT_PORT", served="page_served")
    await serve_app(
        app,
        place,
        stop,
        ws="websockets-sansio",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_WAIT_S,
    )
