"""One giosg connection: an organization's room, how to reach it, and what is wished of it.

Source: specs/giosg.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from broker.domain.ids import Stub
from workers.giosg.connections.rules import (
    ApiToken,
    BaseUrl,
    ConnectionName,
    GiosgUuid,
    Language,
    NameTemplate,
    OrgUuid,
    PresenceSeconds,
    PublicUrl,
    ReconcileSeconds,
    Variables,
    WebhookSecret,
    is_loopback,
)

LINK_HOURS_DEFAULT = 24.0
LINK_HOURS_MAX = 24.0 * 365
SERVICE = "giosg"
HIDDEN = "…"
"""Stands for a secret where one is not shown."""


class GiosgConnection(BaseModel):
    """A table of the connections' file, its secrets already fetched from where they are.

    ``name`` is the table's, and the stubref of the desk: ``giosg.<name>`` in org ``org``. Ours, beside the
    specification's keys: ``org``, ``give_back``, ``hand_over_text``, ``waiting_notice_seconds``, ``link_hours``.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    name: ConnectionName
    org: OrgUuid
    base_url: BaseUrl = "https://service.giosg.com"
    organization_id: GiosgUuid
    room_id: GiosgUuid
    api_token: ApiToken
    webhook_secret: WebhookSecret
    webhook_secret_previous: WebhookSecret | None = None
    webhook_public_url: PublicUrl
    app_secret: SecretStr | None = None
    language: Language | None = None
    chat_type: Literal["visitor", "external"] = "visitor"
    visitor_name_template: NameTemplate = "{display_name}"
    visitor_variables: Variables = Field(default_factory=dict)
    presence_seconds: PresenceSeconds = 120
    offline_policy: Literal["refuse", "hold"] = "refuse"
    hold_max_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    availability_cache_seconds: Annotated[int, Field(ge=0, le=300)] = 10
    after_end_policy: Literal["new_chat", "reject"] = "new_chat"
    on_visitor_close: Literal["end", "leave", "nothing"] = "end"
    deliver_autosuggest: bool = False
    deliver_agent_events: bool = True
    typing_to_giosg: bool = False
    typing_from_giosg: bool = False
    max_message_chars: Annotated[int, Field(ge=1, le=2000)] = 2000
    http_timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    max_retries: Annotated[int, Field(ge=0, le=10)] = 4
    max_concurrent_requests: Annotated[int, Field(ge=1, le=256)] = 16
    reconcile_seconds: ReconcileSeconds = 60
    max_webhook_bytes: Annotated[int, Field(ge=4096, le=4_194_304)] = 262_144
    give_back: Literal["previous", "nobody"] = "previous"
    """Who has the conversation when the desk cannot take it, or its chat has ended: the stub that handed it over."""
    hand_over_text: Literal["last", "nothing"] = "last"
    """What of the visitor's is sent when a stub hands over: agents see a chat only once something was written in it."""
    waiting_notice_seconds: Annotated[int, Field(ge=0, le=86_400)] = 120
    """After so long without an agent the visitor is told to wait on, once; 0: never."""
    link_hours: Annotated[float, Field(gt=0, le=LINK_HOURS_MAX, allow_inf_nan=False)] = LINK_HOURS_DEFAULT

    @model_validator(mode="after")
    def _check_hold(self) -> GiosgConnection:
        if "hold_max_seconds" in self.model_fields_set and self.offline_policy != "hold":
            problem = "hold_max_seconds has a meaning with offline_policy = 'hold' only: set that, or leave this out"
            raise PydanticCustomError("connection", "{problem}", {"problem": problem})
        return self

    @property
    def stub(self) -> Stub:
        """The desk's address as a stub."""
        return Stub.parse(f"{SERVICE}.{self.name}")

    @property
    def is_local(self) -> bool:
        """Whether its giosg is on this machine: a stand-in."""
        return is_loopback(urlsplit(self.base_url).hostname)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All its secrets, for whoever has to keep them out of a text."""
        kept = (self.api_token, self.webhook_secret, self.webhook_secret_previous, self.app_secret)
        return tuple(one.get_secret_value() for one in kept if one is not None)


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """One webhook of the giosg App, as its form wants it: what is listened to, which events, and where they go."""

    kind: Literal["chats", "messages", "memberships"]
    channel: str
    events: tuple[str, ...]
    url: str


def webhook_urls(connection: GiosgConnection, *, with_secret: bool = False) -> tuple[WebhookUrl, ...]:
    """The webhooks to enter in giosg; without its secret an address may be shown to anybody.

    Source: specs/giosg.md sections 4.1 and 4.3.
    """
    secret = quote(connection.webhook_secret.get_secret_value(), safe="") if with_secret else HIDDEN
    begin = f"{connection.webhook_public_url}/giosg/{connection.name}"
    chats = "/api/v5/orgs/{organization_id}/owned_chats"
    everything = ("additions", "changes", "deletions")
    return (
        WebhookUrl("chats", chats, everything, f"{begin}/chats?secret={secret}"),
        WebhookUrl("messages", f"{chats}/*/messages", everything, f"{begin}/messages?secret={secret}"),
        *(
            (WebhookUrl("memberships", f"{chats}/*/memberships", ("changes",), f"{begin}/memberships?secret={secret}"),)
            if connection.typing_from_giosg
            else ()
        ),
    )


class Connections:
    """All connections of the file."""

    def __init__(self, connections: Iterable[GiosgConnection] = ()) -> None:
        self._by_name: Mapping[str, GiosgConnection] = {one.name: one for one in connections}

    def get(self, name: str) -> GiosgConnection | None:
        """The connection of that name, None if there is none."""
        return self._by_name.get(name)

    def all(self) -> tuple[GiosgConnection, ...]:
        """Every one, in the file's order."""
        return tuple(self._by_name.values())

    def of_stub(self, org: str, stub: str) -> GiosgConnection | None:
        """The connection whose desk that is in that org; ``stub`` is ``giosg.<name>``, or the name alone."""
        found = self.get(stub.removeprefix(f"{SERVICE}."))
        return found if found is not None and found.org == org else None
