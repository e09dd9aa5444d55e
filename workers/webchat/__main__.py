"""`python -m workers.webchat`: wiring."""

from __future__ import annotations

import time

import structlog
import uvloop

from broker.errors import BackboneError
from broker.runtime.backbone import open_backbone
from broker.runtime.logs import configure_logging
from broker.runtime.settings import load
from broker.runtime.signals import stop_on_signals
from broker.transport.tables import Table
from broker.transport.topology import PROFILES, SESSIONS
from workers.webchat.admission import Admission
from workers.webchat.assets import load_assets
from workers.webchat.bus import Bus
from workers.webchat.door import Door, SocketLimits
from workers.webchat.edge import build_app
from workers.webchat.feed import Feed
from workers.webchat.serving import serve
from workers.webchat.settings import WebchatSettings

SECONDS_PER_DAY = 86_400


async def main(settings: WebchatSettings) -> None:
    """Open the backbone, follow the log, serve browsers until a stop signal."""
    async with stop_on_signals() as stop, open_backbone(settings, name="webchat") as backbone:
        connection, feed = backbone.connection, Feed()
        async with Table(connection, backbone.records(PROFILES)) as profiles, feed.reader(connection) as reader:
            bus = Bus(
                connection,
                backbone.publisher,
                backbone.records(SESSIONS),
                profiles,
                partitions=settings.partitions,
                session_keep_s=settings.session_keep_days * SECONDS_PER_DAY,
            )
            admission = Admission(
                sockets_max=settings.sockets_max,
                per_address_max=settings.sockets_per_address_max,
                sessions_per_minute_max=settings.sessions_per_minute_max,
                clock=time.monotonic,
            )
            limits = SocketLimits(settings.frames_per_s, settings.frames_burst)
            door = Door(bus, feed, admission, limits, settings.origins)
            app = build_app(
                door,
                load_assets(settings.page_defaults),
                is_ready=lambda: connection.connected and reader.caught_up.is_set(),
            )
            await serve(app, settings, stop)


if __name__ == "__main__":
    try:
        found = load(WebchatSettings, worker="webchat")
        configure_logging(found.log_level)
        uvloop.run(main(found))
    except BackboneError as error:
        structlog.get_logger().error("worker_failed", error_code=error.code, error=str(error))
        raise SystemExit(1) from error
