"""How the simulated giosg behaves; changed over the control plane.

Where giosg's behaviour is unknown a field decides, with the default of specs/giosg.md sections 8 and 10.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Rule = Literal[
    "authorization",  # 401 without a good token
    "scheme",  # Token and Bearer are not interchangeable
    "token_expiry",  # a visitor's token ends
    "token_binding",  # a visitor's token is for that visitor
    "organization",  # 403 for another organization
    "room",  # 404 for an unknown room; off: the first room stands for all
    "chat_owner",  # 404 for another visitor's chat
    "visit",  # no chat before the visitor was put in the room
    "offline",  # no chat in a room that is offline
    "text",  # a message has 1 to 2000 characters
    "ended",  # nothing is written into an ended chat
    "fields",  # required and well-typed members of bodies
    "media_type",  # JSON in, JSON out
    "silent_chats",  # agents see no chat before its visitor wrote
]
Status = Annotated[int, Field(ge=200, le=599)]
Milliseconds = Annotated[int, Field(ge=0)]

ORGANIZATION_ID = "0a6a1b1c-5a1c-4b6e-9d53-6f0f5f6d2a01"
ROOM_ID = "1b7b2c2d-6b2d-4c7f-8e64-7a1a6a7e3b02"
API_TOKEN = "standin-api-token"


class Subscription(BaseModel):
    """One webhook of the App. ``channel`` may hold ``{organization_id}``, and ``*`` for any id."""

    model_config = ConfigDict(extra="forbid")

    channel: str
    url: str
    added: bool = True
    changed: bool = True
    removed: bool = True
    headers: dict[str, str] = Field(default_factory=dict)


class Webhooks(BaseModel):
    """How webhooks are delivered; the defaults are the friendliest case.

    ``echo``: when the webhooks that a call caused go out. ``immediate``: at once, beside the answer; ``before``: the
    answer waits until they were delivered; ``after``: ``echo_after_ms`` after the answer was sent.
    ``copies``: how often each goes out. ``reorder_window_ms``: those of a window go out last first. ``drop_rate``: this
    part of them is lost, evenly spread. ``retry_schedule_ms``: waits before further attempts after a bad answer.
    ``refused``: no endpoint can be reached. ``slow_body_ms`` and ``slow_reader_ms``: how long the body takes to send,
    and how long the answer lies unread. ``in_order``: one after another, per subscription. ``disable_after``: bad
    attempts in a row after which a subscription gets nothing any more. ``changed_keys``: the only members that a
    ``changed`` may have beside the id; None: all that changed. ``removed_resource``: what stands there when an object
    is gone.
    """

    model_config = ConfigDict(extra="forbid")

    subscriptions: list[Subscription] = Field(default_factory=list)
    installed: bool = True
    echo: Literal["immediate", "before", "after"] = "immediate"
    echo_after_ms: Milliseconds = 50
    delay_ms: Milliseconds = 0
    copies: Annotated[int, Field(ge=1, le=10)] = 1
    reorder_window_ms: Milliseconds = 0
    drop_rate: Annotated[float, Field(ge=0, le=1)] = 0
    retry_schedule_ms: list[Milliseconds] = Field(default_factory=list)
    refused: bool = False
    slow_body_ms: Milliseconds = 0
    slow_reader_ms: Milliseconds = 0
    timeout_ms: Milliseconds = 10_000
    in_order: bool = False
    disable_after: Annotated[int, Field(ge=1)] | None = None
    changed_keys: list[str] | None = None
    removed_resource: Literal["absent", "null", "empty"] = "absent"
    app_user_auth: bool = False


class Configuration(BaseModel):
    """Everything else that a test may choose; units are in the names.

    ``off``: rules that are not enforced. ``unknown_visitor``: what C1 makes of a secret that it does not know: a
    refusal, or a new visitor. ``end_status``, ``typing_status``, ``single_message_status``: None means that the
    call works, a number that it is always answered so. ``waiting_flags``: which of is_waiting and is_pending tell
    that a visitor waits. ``idle_close_s``: a chat in which nothing happens ends by itself. ``next_origin``: where
    ``next`` of a collection points; None: to the host that was asked. ``stamps_tie``: moments may be equal; else
    each is at least 1 ms after the one before.
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: str = ORGANIZATION_ID
    off: set[Rule] = Field(default_factory=set)
    auth_status: Status = 200
    message_status: Status = 201
    unknown_visitor: Literal["refuse", "new"] = "refuse"
    unknown_visitor_status: Status = 400
    foreign_visitor_status: Status = 403
    revoked_token_status: Status = 401
    without_visit_status: Status = 404
    offline_status: Status = 403
    ended_status: Status = 403
    end_status: Status | None = None
    typing_status: Status | None = None
    typing_words: Literal["2016", "2019", "both"] = "2016"
    single_message_status: Status | None = None
    auto_resume: bool = False
    repeated_variable: Literal["replace", "append"] = "replace"
    waiting_flags: Literal["both", "waiting", "pending"] = "both"
    organization_messages_newest_first: bool = True
    visitor_messages_newest_first: bool = False
    token_lifetime_s: Annotated[int, Field(ge=1)] = 1800
    secret_lifetime_s: Annotated[int, Field(ge=1)] | None = None
    idle_close_s: Annotated[int, Field(ge=1)] | None = None
    rate_limit: Annotated[int, Field(ge=1)] | None = None
    rate_window_ms: Annotated[int, Field(ge=1)] = 1000
    message_chars_max: int = 2000
    page_size: Annotated[int, Field(ge=1)] = 25
    next_origin: str | None = None
    stamps_tie: bool = False
    webhooks: Webhooks = Field(default_factory=Webhooks)

    @property
    def composing_words(self) -> set[str]:
        """What a visitor may say of its typing."""
        known = {"2016": {"idle", "composing", "has_composed"}, "2019": {"idle", "typing", "typed"}}
        return known["2016"] | known["2019"] if self.typing_words == "both" else known[self.typing_words]
