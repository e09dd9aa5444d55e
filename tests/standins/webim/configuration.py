"""How one simulated Webim account is set up; changed over the control interface.

Source: specs/webim.md sections 3.1, 9.2 and 9.3.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Profile = Literal["v1", "v1-actions", "v2", "v2-old"]

HEADERS_SINCE = (10, 3)
"""Older installations do not send the three headers."""
QUEUE_REDIRECT_SINCE = (10, 4)


class Operator(BaseModel):
    """A person at Webim's workplace."""

    model_config = ConfigDict(extra="forbid")

    id: int
    full_name: str
    email: str = "operator@example.com"
    online: bool = True


class Department(BaseModel):
    """A group of operators; ``key`` is what a redirect names."""

    model_config = ConfigDict(extra="forbid")

    key: str
    online: bool = True


def usual_operators() -> list[Operator]:
    """One who is there and one who is not."""
    return [
        Operator(id=240001, full_name="Olga"),
        Operator(id=240002, full_name="Oskar", online=False),
    ]


def usual_departments() -> list[Department]:
    """One that works and one that does not."""
    return [Department(key="sales"), Department(key="night", online=False)]


class Configuration(BaseModel):
    """Everything that a test may choose; units are in the names.

    ``endpoint_url``: one address or several; attempt n of a delivery goes to the n-th, round and round. ``spread``:
    chats begin this round at different addresses, one after another.
    ``chat_ids`` and ``message_ids`` None: as the profile has them (v1: uuids, no message ids; v2: integers, ids).
    ``bare_new_chat``: new_chat holds the chat's id and nothing else, as far as Webim's sample bot reads it in v2.
    ``handlers``: addresses of the chat event handlers by name. ``handler_body``: where these say the chat's id.
    ``closed_mark``: how the Stored Data API tells that a chat is closed; Webim's way is unknown, so a test chooses.
    ``message_text_key``: what it calls a message's text.
    """

    model_config = ConfigDict(extra="forbid")

    profile: Profile = "v2"
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)+$")] = "10.5.62"
    endpoint_url: str | list[str] = ""
    spread: bool = False
    basic_user: str | None = None
    basic_password: str | None = None
    bot_token: str | None = None
    admin_email: str | None = None
    admin_password: str | None = None
    operators: list[Operator] = Field(default_factory=usual_operators)
    departments: list[Department] = Field(default_factory=usual_departments)
    chat_ids: Literal["integer", "uuid"] | None = None
    first_chat_id: int = 1
    message_ids: bool | None = None
    bare_new_chat: bool = False
    timeout_ms: int = 5_000
    retries: int = 0
    retry_wait_ms: int = 100
    page_size: int = 100
    handlers: dict[Literal["chat_started", "chat_assigned", "chat_closed"], str] = Field(default_factory=dict)
    handler_body: Literal["chat", "chat_id", "id", "none"] = "chat"
    closed_mark: Literal["info", "state", "closed_at"] = "info"
    message_text_key: Literal["message", "text"] = "message"
    clock_offset_ms: int = 0

    @property
    def is_v1(self) -> bool:
        """Whether the bot answers in the HTTP answer."""
        return self.profile in ("v1", "v1-actions")

    @property
    def endpoint_urls(self) -> list[str]:
        """The addresses of the bot, in the order of attempts."""
        return [self.endpoint_url] if isinstance(self.endpoint_url, str) else self.endpoint_url

    @property
    def has_message_ids(self) -> bool:
        """Whether a visitor's message carries an id."""
        return not self.is_v1 if self.message_ids is None else self.message_ids

    @property
    def has_integer_chat_ids(self) -> bool:
        """Whether chats have numbers or uuids."""
        return not self.is_v1 if self.chat_ids is None else self.chat_ids == "integer"

    @property
    def redirects_to_queue(self) -> bool:
        """Whether a redirect without a target is understood."""
        return self._version >= QUEUE_REDIRECT_SINCE

    @property
    def version_headers(self) -> dict[str, str]:
        """The three headers, or none where the installation is too old for them."""
        if self.profile == "v2-old" or self._version < HEADERS_SINCE:
            return {}
        return {
            "X-Bot-API-Dialect": "Webim Standard",
            "X-Bot-API-Version": "1.0" if self.is_v1 else "2.0",
            "X-Webim-Version": self.version,
        }

    @property
    def _version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))
