"""The bodies of a conversation's events: exactly the documented payloads, as models.

On the wire a member's name begins with its channel (``webchat_message``); here it does not (``message``), and the
model of one channel is made by ``visitor_model`` or ``notification_model``. So a new channel needs no new model.
Source: specs/stubber-webchat.md sections 2.3, 2.4 and 4.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, ConfigDict, Field, JsonValue, StringConstraints

from broker.domain.ids import ChannelName
from broker.domain.wire import ACTION_PATTERN, STUB_PATTERN, UUID_PATTERN, Body, Wire, validate
from broker.errors import InvalidBodyError

TEXT_CHARACTERS_MAX = 65_536
LABELS_MAX = 64
CHANNELS_MAX = 64
"""Models that are kept ready: a channel's name comes from a subject, so there may be any number of them."""
TIMEOUT_HOURS_DEFAULT = 24.0

UUID = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Action = Annotated[str, StringConstraints(pattern=ACTION_PATTERN)]
StubName = Annotated[str, StringConstraints(pattern=STUB_PATTERN)]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Typed(Wire):
    """``{type, value}``: what a visitor wrote or filled in; unknown types pass on the way in."""

    type: Label
    value: Text | dict[str, JsonValue]


class ChatConfiguration(Wire):
    """The chat that an event came through. Pass-through data is opaque and never parsed (O3, O4)."""

    orguuid: UUID | None = None
    chatname: Label | None = None
    pass_through: Text | None = Field(
        default=None,
        validation_alias=AliasChoices("passthroughData", "pass_through_data", "passthrough_data"),
        serialization_alias="passthroughData",
    )
    branch: Label | None = None
    profile_uuid: UUID | None = None


class PlatformSwitch(Wire):
    """The visitor asks to carry on elsewhere."""

    platform_name: Label
    type: Label
    value: Text


class VisitorSettings(Wire):
    """What a visitor set in the client."""

    platform_switch: PlatformSwitch | None = None


class Attachment(Wire):
    """A stored file, by reference."""

    contentType: Label  # noqa: N815 - the documented name
    filename: Label
    fileuuid: UUID
    originalname: Label


class VisitorContent(Wire):
    """What an adapter publishes about a visitor, under ``heimdall.<channel>``."""

    sessionuuid: UUID
    message: Typed | None = None
    configuration: ChatConfiguration | None = None
    client_configuration: VisitorSettings | None = None
    control_event: dict[str, JsonValue] | None = None
    attachments: Annotated[list[Attachment], Field(max_length=LABELS_MAX)] | None = None
    meta_data: dict[str, JsonValue] | None = None
    profile: dict[str, JsonValue] | None = None

    @property
    def text(self) -> str:
        """The written text, empty for anything else; becomes ``stubpost.message``."""
        return self.message.value if self.message and isinstance(self.message.value, str) else ""


class Plain(Wire):
    """Text, markdown or html for the visitor; markdown and html are made safe by the adapter."""

    type: Literal["text", "markdown", "html"]
    value: Text


class FormValue(Wire):
    """A form by its unique name, with its fields."""

    form_name: Label
    spec: dict[str, JsonValue]


class Form(Wire):
    """A form for the visitor to fill in."""

    type: Literal["form"]
    value: FormValue


class Agent(Wire):
    """Who speaks, as the visitor sees it."""

    name: Label = "Agent"


class ClientSetting(Wire):
    """One labelled setting of the client; its ``type`` counts, its label is free."""

    type: Label
    value: JsonValue = None


class StubSession(Wire):
    """A wish for a link: to the sending stub, for so many hours."""

    set_new_with_timeout_hours: Hours = TIMEOUT_HOURS_DEFAULT
    set_feedback_action: Action | None = None
    sessionuuid: UUID | None = None


class NotificationContent(Wire):
    """What a stub sends to a visitor, under ``platforms.<channel>``; any members may go together."""

    sessionuuid: UUID
    agent: Agent = Agent()
    message: Annotated[Plain | Form, Field(discriminator="type")] | None = None
    client_configuration: Annotated[dict[Label, ClientSetting], Field(max_length=LABELS_MAX)] | None = None
    control_event: dict[str, JsonValue] | None = None
    stubsession: StubSession | None = None


class Linked(Wire):
    """Fact: from ``epoch`` on the conversation belongs to ``stub`` until ``expires_at_ms`` (Unix, UTC)."""

    stub: StubName
    stubref: StubName
    feedback_action: Action
    epoch: int
    timeout_hours: float
    expires_at_ms: int
    clamped: bool | None = None
    replaces: StubName | None = None


class Unlinked(Wire):
    """Fact: the link of ``epoch`` ended, and why."""

    stub: StubName
    stubref: StubName
    epoch: int
    expires_at_ms: int
    reason: Literal["timeout", "deleted", "ended", "closed"]


class Timeout(Wire):
    """The expiry worker's word: the timer of ``epoch`` fired and its time had come, by the clock."""

    timer: Literal["link", "hold"] = "link"
    epoch: int
    deadline_at_ms: int


class Receipt(Wire):
    """What became of one notification; ``notification`` is its sequence in the log."""

    notification: int
    status: Literal["delivered", "failed", "skipped"]
    reason: Label | None = None


class StubPost(Wire):
    """The record of one run: a text, and fields."""

    message: str = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Delivery(Wire):
    """One run for a stub."""

    stubpost: StubPost


class DeadLetter(Wire):
    """What nobody could take: the reason, and the original exactly as it was."""

    reason: Label
    detail: str
    subject: str
    stream: str
    sequence: int
    stored_at_ms: int
    attempts: int
    headers: dict[str, str]
    body: bytes


_Content = TypeVar("_Content", VisitorContent, NotificationContent)
_UNPREFIXED = frozenset({"sessionuuid", "stubsession"})


@lru_cache(CHANNELS_MAX)
def visitor_model(channel: ChannelName) -> type[VisitorContent]:
    """The visitor's content with the member names of one channel, such as ``webchat_message``."""
    return _with_prefix(VisitorContent, channel)


@lru_cache(CHANNELS_MAX)
def notification_model(channel: ChannelName) -> type[NotificationContent]:
    """The notification's content with the member names of one channel, such as ``webchat_agent``."""
    return _with_prefix(NotificationContent, channel)


def read_visitor(channel: ChannelName, body: Body) -> tuple[VisitorContent, Body]:
    """The content under ``heimdall.<channel>``, as a model and as it came, unknown members included.

    Raises:
        InvalidBodyError: it is missing or does not validate.
    """
    payload = _member(body, "heimdall", channel, what=f"{channel} event")
    return validate(visitor_model(channel), payload, what=f"{channel} event"), payload


def read_notification(channel: ChannelName, body: Body) -> NotificationContent:
    """The content under ``platforms.<channel>``.

    Raises:
        InvalidBodyError: it is missing or does not validate.
    """
    what = f"{channel} notification"
    if body.get("conditions"):
        raise InvalidBodyError(what, ("conditions: the sender decides whether to send, so this must be empty",))
    return validate(notification_model(channel), _member(body, "platforms", channel, what=what), what=what)


def sender_in(body: Body) -> str | None:
    """The ``stub`` field of a body typed by hand, None if there is none."""
    sender = body.get("stub")
    return sender if isinstance(sender, str) else None


def _member(body: Body, outer: str, channel: ChannelName, *, what: str) -> Body:
    inside: Any = body.get(outer)
    member = inside.get(channel) if isinstance(inside, dict) else None
    if not isinstance(member, dict):
        raise InvalidBodyError(what, (f"{outer}.{channel}: an object is required here",))
    return member


def _with_prefix(model: type[_Content], channel: ChannelName) -> type[_Content]:
    def documented(field: str) -> str:
        return field if field in _UNPREFIXED else f"{channel}_{field}"

    config = ConfigDict(alias_generator=documented, populate_by_name=False)
    name = f"{channel.capitalize()}{model.__name__}"
    return type(name, (model,), {"model_config": config, "__module__": __name__, "__doc__": model.__doc__})
