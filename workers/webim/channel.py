"""One Webim channel as it is kept: its settings, and the chat path that its conversations have.

Source: specs/webim.md section 2.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from broker.domain.deployments import Ref
from broker.domain.events import UUID, Label
from broker.domain.ids import ChannelName, OrgId, chat_name
from broker.domain.subjects import ChatPath
from broker.domain.wire import Wire

WEBIM = ChannelName("webim")
CHANNELS_PER_ORG_MAX = 200


class ChannelSettings(Wire):
    """The form's fields and the advanced ones, checked; secrets included, so it is never shown or logged as it is.

    Units: ``_ms`` milliseconds, ``_s`` seconds; ``max_text_len`` characters.
    """

    name: Label
    email: str | None = None
    password: str | None = None
    domain: Label
    branch: Ref = "master"
    deployment: Literal["automatic", "manual"] = "automatic"
    bot_api_token: str | None = None
    api_version: Literal["auto", "1", "2"] = "auto"
    v1_actions: Literal["emit", "queue"] = "emit"
    v1_timeout_ms: int = 5_000
    deliver_init_replies: bool = False
    combine_separator: str = "\n"
    max_text_len: int = 4_000
    session_idle_ttl_s: int = 86_400
    inbound_basic_user: str | None = None
    inbound_basic_password: str | None = None
    log_poll_interval_s: int = 60


class Channel(Wire):
    """One channel of an org; ``id`` is ours (``ch`` and letters and digits), ``access_token`` opens its endpoint.

    ``alarm``: a code that an administrator must look at, such as ``webim_auth_failed``. ``log_alarm``: the same of the
    admin login, ``auth_failed``: then no dialogs are collected. ``removing``: it is gone for everybody, and is kept
    until what it has in other buckets is gone as well.
    """

    id: Label
    org: UUID
    access_token: str
    settings: ChannelSettings
    created_at_ms: int
    alarm: str | None = None
    log_alarm: str | None = None
    removing: bool = False

    @property
    def path(self) -> ChatPath:
        """Where its conversations live: ``webim.org.<org>.name.live<id>``."""
        return ChatPath(WEBIM, OrgId(self.org), chat_name(f"live{self.id}"))

    @property
    def collects(self) -> bool:
        """Whether dialogs with operators are collected."""
        return self.settings.email is not None and self.log_alarm is None


class OrgChannels(Wire):
    """Value in bucket CHANNELS, key ``<org>.webim``: all of an org's, so that names are unique by compare-and-set.

    ``removed``: ids of the channels that went last. Whoever was killed while working for one may have left something.
    """

    channels: list[Channel] = Field(default_factory=list)
    removed: list[Label] = Field(default_factory=list)
