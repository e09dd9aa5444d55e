"""The bodies of control calls, each an order that a test or the console gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tests.standins.giosg.world import Body


class Order(BaseModel):
    """``wait``: the answer comes when the webhooks that follow were delivered or given up."""

    model_config = ConfigDict(extra="forbid")

    wait: bool = True


class RoomOrder(Order):
    """``online``: open, with a router, its humans there; ``offline``: nobody there; ``closed``: out of hours.

    ``humans`` and ``bots``: whether those of the room are there. An unknown room is made, with all agents.
    """

    state: Literal["online", "offline", "closed"] | None = None
    humans: bool | None = None
    bots: bool | None = None
    has_router: bool | None = None
    name: str | None = None
    language_code: str | None = None


class AgentOrder(Order):
    """Somebody new in all rooms."""

    public_name: str
    name: str
    is_online: bool = True
    is_bot: bool = False


class ByAgent(Order):
    """Something that an agent does; None: who is in the chat, else the first who is online."""

    agent_id: str | None = None


class SayOrder(ByAgent):
    """An agent writes, and joins before if need be. ``sender_type`` rule: giosg's own automatic message.

    ``extra``: members of the message that are as given here, whatever they would be.
    """

    text: str | None = None
    type: str = "msg"
    sender_type: Literal["user", "rule"] | None = "user"
    attachments: list[Body] = Field(default_factory=list)
    encrypted: bool = False
    join: bool = True
    extra: Body = Field(default_factory=dict)


class TypeOrder(ByAgent):
    """The vocabulary is as the caller likes."""

    composing_status: str = "composing"


class EndOrder(ByAgent):
    """``tag`` and ``leave`` follow the end, as they do in giosg."""

    tag: str | None = None
    leave: bool = False


class TagOrder(Order):
    """A tag by an agent."""

    name: str


class TextOrder(Order):
    """Another text of a message, or what the visitor writes from another device or the website."""

    text: str


class ForeignOrder(Order):
    """A chat that the website's own widget makes; ``text`` None: its visitor has not written yet."""

    room_id: str | None = None
    visitor_name: str | None = None
    text: str | None = "Hello from the website"


class TokensOrder(Order):
    """The API tokens that are good from now on; none: all are revoked."""

    tokens: list[str]


class ExpireOrder(Order):
    """The tokens of one visitor, or all."""

    visitor_id: str | None = None


class ClockOrder(Order):
    """``frozen`` None: as it is. The clock goes forward by ``advance_ms``."""

    frozen: bool | None = None
    advance_ms: Annotated[int, Field(ge=0)] = 0


class WebhookOrder(Order):
    """An event as it stands, to the subscriptions of its channel; ``resource`` absent: that key is absent."""

    channel: str
    action: str
    resource_id: str
    resource: Any = None


class RawOrder(Order):
    """Any bytes to any address on loopback."""

    method: str = "POST"
    url: Annotated[str, Field(pattern=r"^https?://(127\.0\.0\.1|localhost)[:/]")]
    headers: dict[str, str] = Field(default_factory=dict)
    body_base64: str = ""
