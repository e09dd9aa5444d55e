"""All that administrators need of this worker, put together: by HTTP, by command, and what mends half-done things."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter

from broker.runtime.backbone import Backbone
from broker.transport.commands import channel_verbs, serve_commands
from broker.transport.topology import CHANNELS, PROGRAMS
from workers.webim.administration.admin import ChannelAdmin
from workers.webim.administration.api import channel_routes
from workers.webim.administration.commands import ChannelCommands
from workers.webim.administration.mending import mending
from workers.webim.administration.store import ChannelStore
from workers.webim.administration.wishes import ChannelWishes
from workers.webim.channel import WEBIM
from workers.webim.channels import Channels
from workers.webim.settings import WebimSettings


@contextlib.asynccontextmanager
async def administration(settings: WebimSettings, backbone: Backbone, channels: Channels) -> AsyncIterator[APIRouter]:
    """Answer commands and mend until the end of the block; the routes are for the worker's own application."""
    programs = backbone.records(PROGRAMS)
    store = ChannelStore(backbone.records(CHANNELS))
    wishes = ChannelWishes(store, programs)
    admin = ChannelAdmin(store, wishes, public_url=settings.public_url)
    async with (
        mending(backbone.connection, channels, admin, wishes, programs),
        serve_commands(
            backbone.connection, ChannelCommands(admin), name="heimdall-webim", endpoints=channel_verbs(WEBIM)
        ),
    ):
        yield channel_routes(admin, settings.administrators)
