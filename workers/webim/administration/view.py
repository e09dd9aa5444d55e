"""Pure: how channels and their deployments are shown; what opens something only to whoever administers the channel."""

from __future__ import annotations

from broker.domain.channel_forms import (
    ActiveVersion,
    ChannelListed,
    ChannelShown,
    DeploymentListed,
    DeploymentShown,
    LogCollection,
)
from broker.domain.deployments import Deployment, Standing
from workers.webim.channel import WEBIM, Channel

ENDPOINT = "/chatapi/webim/"
TOKEN_CHARACTERS_SHOWN = 4


def endpoint_url(channel: Channel, public_url: str) -> str:
    """The address that an administrator copies into Webim; whoever has it can speak for the channel's visitors."""
    return f"{public_url.rstrip('/')}{ENDPOINT}{channel.access_token}"


def shown(channel: Channel, standing: Standing, public_url: str) -> ChannelShown:
    """All of it."""
    settings = channel.settings
    return ChannelShown(
        **settings.model_dump(exclude={"password", "bot_api_token", "inbound_basic_password"}),
        password_set=settings.password is not None,
        bot_api_token_set=settings.bot_api_token is not None,
        inbound_basic_password_set=settings.inbound_basic_password is not None,
        id=channel.id,
        type=WEBIM,
        access_token=channel.access_token,
        endpoint_url=endpoint_url(channel, public_url),
        log_collection=_log_collection(channel),
        status=standing.status,
        deployment_id=None if standing.newest is None else standing.newest.id,
        last_deployment=None if standing.newest is None else standing.newest.status,
        active=_active(standing),
        alarm=channel.alarm,
        created_at_ms=channel.created_at_ms,
    )


def listed(channel: Channel, standing: Standing) -> ChannelListed:
    """What a list tells."""
    settings = channel.settings
    return ChannelListed(
        id=channel.id,
        type=WEBIM,
        name=settings.name,
        access_token_begins=channel.access_token[:TOKEN_CHARACTERS_SHOWN],
        domain=settings.domain,
        branch=settings.branch,
        deployment=settings.deployment,
        log_collection=_log_collection(channel),
        status=standing.status,
        deployment_id=None if standing.newest is None else standing.newest.id,
        last_deployment=None if standing.newest is None else standing.newest.status,
        active=_active(standing),
        alarm=channel.alarm,
    )


def deployment_listed(deployment: Deployment) -> DeploymentListed:
    """A deployment without its log."""
    return DeploymentListed(
        id=deployment.id,
        status=deployment.status,
        ref=deployment.ref,
        kind=deployment.kind,
        commit=deployment.commit,
        error=deployment.error,
        asked_at_ms=deployment.asked_at_ms,
        ended_at_ms=deployment.ended_at_ms,
    )


def deployment_shown(deployment: Deployment) -> DeploymentShown:
    """A deployment with its log."""
    return DeploymentShown(**deployment_listed(deployment).model_dump(), log=deployment.log)


def _log_collection(channel: Channel) -> LogCollection:
    if channel.settings.email is None:
        return "until_transfer"
    return "full" if channel.log_alarm is None else "auth_failed"


def _active(standing: Standing) -> ActiveVersion | None:
    found = standing.active
    if found is None:
        return None
    return ActiveVersion(ref=found.ref, kind=found.kind, commit=found.commit, service=found.service)
