"""What the commands answer: one model for each verb's reply; a refusal is ErrorReply of commands.py."""

from __future__ import annotations

from pydantic import JsonValue

from broker.domain.events import UUID, Action, Label, StubName, Text
from broker.domain.profiles import Profile
from broker.domain.registrations import Mechanism
from broker.domain.wire import Wire


class RegisterReply(Wire):
    """Reply of ``register``; ``shadowed_by`` is the older ``cbh`` registration that runs instead, null if none does."""

    uuid: UUID
    shadowed_by: UUID | None


class DeregisterReply(Wire):
    """Reply of ``deregister``; ``removed``: whether it was there."""

    removed: bool


class EventWaitedFor(Wire):
    """One event of a registration; ``patterns`` are in NATS's spelling."""

    mechanism: Mechanism
    patterns: list[str]


class RegistrationShown(Wire):
    """A registration, as lists show it; ``until_ms`` is the end of its wait, null where it has none."""

    uuid: UUID
    stub: StubName
    action: Action
    keep: bool
    until_ms: int | None
    shadowed_by: UUID | None
    events: dict[str, EventWaitedFor]


class RegistrationsReply(Wire):
    """Reply of ``registrations``: oldest first; ``next`` is where the next page begins, null at the end."""

    registrations: list[RegistrationShown]
    next: str | None


class StoredReply(Wire):
    """Reply: the event is stored as ``sequence``; ``duplicate``: it had been before."""

    sequence: int
    duplicate: bool


class Emitted(StoredReply):
    """One event that was emitted, and where it was stored."""

    path: str
    mechanism: Mechanism


class EmitReply(Wire):
    """Reply of ``emit``: what was stored, in the order of the task."""

    emitted: list[Emitted]


class LinkSetReply(StoredReply):
    """Reply of ``linkset``: the link as the fold will set it; its epoch is ``sequence``."""

    sessionuuid: UUID
    stub: StubName
    feedback_action: Action
    timeout_hours: float
    clamped: bool


class StubCloseReply(Wire):
    """Reply of ``stubclose``: how many sessions were told that its link ends, and what it was registered for."""

    stub: StubName
    links: int
    registrations: int


class LinkShown(Wire):
    """A live link, as lists show it; ``endpoint`` is a number where the channel has numbers, else the session.

    Source: specs/stubber-webchat.md section 6.4.
    """

    platform: Label
    endpoint: Label
    profile: Label | None
    sessionuuid: UUID
    chat_name: Label
    service: Label
    stubref: StubName
    feedback_action: Action
    timeout_hours: float
    epoch: int
    expires_at: Label
    expires_at_ms: int
    ttl_seconds: float


class LinksReply(Wire):
    """Reply of ``links``: soonest to expire first."""

    links: list[LinkShown]


class SessionShown(Wire):
    """A session, without what would let somebody into it."""

    channel: Label
    org: UUID
    chat_name: Label
    created_at_ms: int
    pass_through: Text | None = None
    profile_uuid: UUID | None = None
    meta_data: dict[str, JsonValue] | None = None
    kept_until_ms: int | None = None
    mobile_number: str | None = None


class SessionReply(Wire):
    """Reply of ``session``; ``link`` is null where none is alive."""

    session: SessionShown
    link: LinkShown | None


class EventShown(Wire):
    """One event of a transcript; ``what`` is its subject after the conversation's prefix."""

    sequence: int
    stored_at_ms: int
    what: str
    body: dict[str, JsonValue] | None


class TranscriptReply(Wire):
    """Reply of ``transcript``: the events in order."""

    events: list[EventShown]


class ProfilesReply(Wire):
    """Reply of ``profiles``."""

    profiles: list[Profile]
