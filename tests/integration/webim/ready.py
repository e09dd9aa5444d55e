"""A channel that is there and deployed, straight in the buckets: for tests that are about something else."""

from __future__ import annotations

import secrets
import time
from typing import Any

from broker.codec import encode
from broker.domain.deployments import Deployment, deployment_key
from broker.domain.wire import dump
from broker.transport.records import Records
from workers.webim.channel import Channel, ChannelSettings
from workers.webim.channel_store import ChannelStore, added

COMMIT = "c0ffee" * 6 + "c0ff"


async def ready_channel(
    channels: Records,
    programs: Records,
    org: str,
    *,
    service: str | None = None,
    commit: str = COMMIT,
    deployed: bool = True,
    **settings: Any,
) -> Channel:
    """One more channel of the org; ``settings`` are fields of ChannelSettings."""
    channel = Channel(
        id="ch" + secrets.token_hex(6),
        org=org,
        access_token=secrets.token_urlsafe(32),
        settings=ChannelSettings(**{"name": secrets.token_hex(4), "domain": "examplecom", **settings}),
        created_at_ms=time.time_ns() // 1_000_000,
    )
    await ChannelStore(channels).change(org, lambda found: added(found, channel))
    if deployed:
        await deployed_version(programs, channel, service=service, commit=commit)
    return channel


async def deployed_version(
    programs: Records, channel: Channel, *, service: str | None = None, commit: str = COMMIT
) -> Deployment:
    """One more deployment of a channel, which has succeeded: its version answers new sessions from now on."""
    now_ms = time.time_ns() // 1_000_000
    deployment = Deployment(
        id="dp" + secrets.token_hex(6),
        org=channel.org,
        channel_id=channel.id,
        ref=channel.settings.branch,
        status="succeeded",
        kind="branch",
        commit=commit,
        service=service,
        asked_at_ms=now_ms,
        ended_at_ms=now_ms,
    )
    key = deployment_key(channel.org, channel.id, deployment.id)
    await programs.write(key, encode(dump(deployment)), revision=None)
    return deployment
