"""What is asked of an adapter about its org's channels, and what it answers: the same by command and by HTTP.

Source: specs/webim.md sections 2 and 2.2. An adapter checks a form by its own, stricter rules, and tells every mistake.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from broker.domain.deployments import LOG_CHARACTERS_MAX, Ref, RefKind, Status
from broker.domain.events import Label
from broker.domain.wire import Wire

Deploying = Literal["automatic", "manual"]
ChannelStatus = Literal["deploying", "ready", "failed"]
LogCollection = Literal["full", "until_transfer", "auth_failed"]


class ChannelForm(Wire):
    """The form of a webim channel; the first seven are the form's own, the rest is advanced."""

    name: str | None = None
    access_token: str | None = None
    email: str | None = None
    password: str | None = None
    domain: str | None = None
    branch: Ref = "master"
    deployment: Deploying = "automatic"
    type: Label | None = None
    bot_api_token: str | None = None
    api_version: Literal["auto", "1", "2"] = "auto"
    v1_actions: Literal["emit", "queue"] = "emit"
    v1_timeout_ms: Annotated[int, Field(ge=500, le=25_000)] = 5_000
    deliver_init_replies: bool = False
    combine_separator: str = "\n"
    max_text_len: Annotated[int, Field(ge=100, le=32_000)] = 4_000
    session_idle_ttl_s: Annotated[int, Field(ge=60, le=2_592_000)] = 86_400
    inbound_basic_user: str | None = None
    inbound_basic_password: str | None = None
    log_poll_interval_s: Annotated[int, Field(ge=10, le=3_600)] = 60


class ListChannels(Wire):
    """Verb ``list``: the org's channels."""


class ChannelNamed(Wire):
    """Verbs about one channel: ``show``, ``deploy``, ``deployments``, ``remove``."""

    id: Label


class ChangeChannel(Wire):
    """Verb ``change``: what ``changes`` does not name stays."""

    id: Label
    changes: dict[str, JsonValue]


class DeploymentNamed(Wire):
    """Verb ``deployment``: one deployment of a channel."""

    id: Label
    deployment_id: Label


class ActiveVersion(Wire):
    """The version that answers new sessions; ``service`` null: its owner runs it."""

    ref: Ref
    kind: RefKind | None
    commit: Label | None
    service: Label | None


class ChannelListed(Wire):
    """A channel as lists show it: nothing that opens anything."""

    id: Label
    type: Label
    name: Label
    access_token_begins: str
    domain: Label
    branch: Ref
    deployment: Deploying
    log_collection: LogCollection
    status: ChannelStatus
    deployment_id: Label | None
    last_deployment: Status | None
    active: ActiveVersion | None
    alarm: Label | None


class ChannelShown(Wire):
    """A channel as its administrator sees it; passwords and tokens that others gave us are never shown."""

    id: Label
    type: Label
    name: Label
    access_token: str
    endpoint_url: str
    email: str | None
    password_set: bool
    domain: Label
    branch: Ref
    deployment: Deploying
    log_collection: LogCollection
    status: ChannelStatus
    deployment_id: Label | None
    last_deployment: Status | None
    active: ActiveVersion | None
    alarm: Label | None
    bot_api_token_set: bool
    api_version: Literal["auto", "1", "2"]
    v1_actions: Literal["emit", "queue"]
    v1_timeout_ms: int
    deliver_init_replies: bool
    combine_separator: str
    max_text_len: int
    session_idle_ttl_s: int
    inbound_basic_user: str | None
    inbound_basic_password_set: bool
    log_poll_interval_s: int
    created_at_ms: int


class ChannelsReply(Wire):
    """Reply of ``list``: oldest first."""

    channels: list[ChannelListed]


class DeployReply(Wire):
    """Reply of ``deploy``: it has been asked for."""

    deployment_id: Label


class DeploymentListed(Wire):
    """A deployment as lists show it: without its log."""

    id: Label
    status: Status
    ref: Ref
    kind: RefKind | None
    commit: Label | None
    error: Label | None
    asked_at_ms: int
    ended_at_ms: int | None


class DeploymentShown(DeploymentListed):
    """A deployment with its log: what was fetched, built, checked and tested, in plain lines."""

    log: Annotated[str, Field(max_length=LOG_CHARACTERS_MAX)]


class DeploymentsReply(Wire):
    """Reply of ``deployments``: newest first."""

    deployments: list[DeploymentListed]


class ChannelRemovedReply(Wire):
    """Reply of ``remove``."""

    id: Label
    removed: bool
