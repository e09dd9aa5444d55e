"""One giosg connection: an organization's room, how to reach it, and what is wished of it.

Source: specs/giosg.md section 2.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

LINK_HOURS_DEFAULT = 24.0


class GiosgConnection(BaseModel):
    """A table of the connections' file, its secrets already fetched from where they are.

    ``name`` is the table's, and the stubref of the desk: ``giosg.<name>`` in org ``org``. Ours, beside the
    specification's keys: ``org``, ``give_back``, ``hand_over_text``, ``waiting_notice_seconds``, ``link_hours``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    org: str
    base_url: str = "https://service.giosg.com"
    organization_id: str
    room_id: str
    api_token: SecretStr
    webhook_secret: SecretStr
    webhook_secret_previous: SecretStr | None = None
    webhook_public_url: str
    app_secret: SecretStr | None = None
    language: str | None = None
    chat_type: Literal["visitor", "external"] = "visitor"
    visitor_name_template: str = "{display_name}"
    visitor_variables: dict[str, str] = Field(default_factory=dict)
    presence_seconds: int = 120
    offline_policy: Literal["refuse", "hold"] = "refuse"
    hold_max_seconds: int = 900
    availability_cache_seconds: int = 10
    after_end_policy: Literal["new_chat", "reject"] = "new_chat"
    on_visitor_close: Literal["end", "leave", "nothing"] = "end"
    deliver_autosuggest: bool = False
    deliver_agent_events: bool = True
    typing_to_giosg: bool = False
    typing_from_giosg: bool = False
    max_message_chars: int = 2000
    http_timeout_seconds: float = 10.0
    max_retries: int = 4
    max_concurrent_requests: int = 16
    reconcile_seconds: int = 60
    max_webhook_bytes: int = 262_144
    give_back: Literal["previous", "nobody"] = "previous"
    """Who has the conversation when the desk cannot take it, or its chat has ended: the stub that handed it over."""
    hand_over_text: Literal["last", "nothing"] = "last"
    """What of the visitor's is sent when a stub hands over: agents see a chat only once something was written in it."""
    waiting_notice_seconds: int = 120
    link_hours: float = LINK_HOURS_DEFAULT
