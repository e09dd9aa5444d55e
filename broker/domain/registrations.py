"""Registrations: a stub's standing wishes, and which of them take an event.

Source: specs/stubber-webchat.md section 2.6 (fields, mechanisms) and 9.2 (16 to 21).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints

from broker.domain.events import UUID, Action, Label, StubName, Text
from broker.domain.ids import ActionName, OrgId, Stub
from broker.domain.patterns import PATTERN_CHARACTERS_MAX, Pattern, registered_forms
from broker.domain.subjects import NOTIFICATIONS
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError, InvalidPatternError

EVENTS_MAX = 16

Mechanism = Literal["evt", "cbh"]


class RegisteredEvent(Wire):
    """One path that is waited for."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=PATTERN_CHARACTERS_MAX)]
    mechanism: Mechanism
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600


class TriggerStubaction(Wire):
    """What is run when it comes, on which stub."""

    action_name: Action
    stubref: StubName
    message: Text = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class RegisterParams(Wire):
    """Parameters of the task ``heimdall_register``; the same uuid again replaces the registration."""

    uuid: UUID
    registration_name: Label = "unnamed"
    on_trigger_method: Literal["keep", "remove"] = "keep"
    events: Annotated[dict[Label, RegisteredEvent], Field(min_length=1, max_length=EVENTS_MAX)]
    trigger_stubaction: TriggerStubaction


class RegistrationRecord(Wire):
    """Value in bucket REGISTRATIONS, key ``<org>.<uuid>``; ``since`` orders them: the first one registered wins.

    ``used_by`` is the log sequence of the event that a registration of one time was used for: it matches that event
    alone from then on, so that the event, seen again after a crash, is decided as before.
    """

    org: UUID
    stub: StubName
    since: int
    params: RegisterParams
    used_by: int | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration, ready to match."""

    id: str
    org: OrgId
    stub: Stub
    action: ActionName
    message: str
    data: Body = field(hash=False)
    keep: bool
    since: int
    wishes: tuple[Wish, ...]
    used_by: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """One of a registration's events with all its forms."""

    event: str
    mechanism: Mechanism
    forms: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Taker:
    """A registration that takes an event, under one of its event names."""

    registration: Registration
    event: str


def read_register(params: Body, *, org: OrgId) -> RegisterParams:
    """The checked parameters of a ``heimdall_register`` task; its paths must lie in the org.

    Raises:
        InvalidBodyError: fields are missing or wrong.
        InvalidPatternError: a path cannot be read, or leaves the org.
    """
    checked = validate(RegisterParams, params, what="heimdall_register")
    for event in checked.events.values():
        if Pattern.from_heimdall(event.path).tokens[:6] != _org_tokens(event.path, org):
            raise InvalidPatternError(event.path, problem=f"it must begin with '{NOTIFICATIONS}.<channel>.org.{org}.'")
    return checked


def to_registration(record: RegistrationRecord) -> Registration:
    """The record as the linker matches it."""
    params = record.params
    wishes = tuple(
        Wish(name, event.mechanism, registered_forms(Pattern.from_heimdall(event.path)))
        for name, event in params.events.items()
    )
    trigger = params.trigger_stubaction
    return Registration(
        id=params.uuid,
        org=OrgId(record.org),
        stub=Stub.parse(record.stub),
        action=ActionName(trigger.action_name),
        message=trigger.message,
        data=dict(trigger.data),
        keep=params.on_trigger_method == "keep",
        since=record.since,
        wishes=wishes,
        used_by=record.used_by,
    )


class Registry:
    """All live registrations by org, in the order they were made."""

    def __init__(self) -> None:
        self._by_org: dict[OrgId, dict[str, Registration]] = {}

    def put(self, registration: Registration) -> None:
        """Add, or replace the one with the same id; the first registration's place in the order stays."""
        registrations = self._by_org.setdefault(registration.org, {})
        registrations[registration.id] = registration
        ordered = sorted(registrations.items(), key=lambda item: (item[1].since, item[0]))
        self._by_org[registration.org] = dict(ordered)

    def remove(self, org: OrgId, registration_id: str) -> None:
        """Forget it; one that is not there is no error."""
        self._by_org.get(org, {}).pop(registration_id, None)

    def of_org(self, org: OrgId) -> tuple[Registration, ...]:
        """The org's registrations, oldest first, without those that are used up."""
        return tuple(found for found in self._by_org.get(org, {}).values() if found.used_by is None)

    def takers(self, org: OrgId, subject: str, *, sequence: int) -> tuple[Taker, ...]:
        """Who takes the event of that sequence: every ``evt``, and of the ``cbh`` the one that registered first.

        Each registration at most once, however many of its forms match.
        """
        found = list(self._matching(org, tuple(subject.split(".")), sequence))
        owner = next((taker for taker, mechanism in found if mechanism == "cbh"), None)
        chosen: dict[str, Taker] = {}
        for taker, mechanism in found:
            if mechanism == "evt" or taker is owner:
                chosen.setdefault(taker.registration.id, taker)
        return tuple(chosen.values())

    def shadowing(self, registration: Registration) -> Registration | None:
        """The older ``cbh`` registration on a ``cbh`` path of this one's, None if there is none."""
        for wish in registration.wishes:
            if wish.mechanism != "cbh":
                continue
            for older in self.of_org(registration.org):
                if older.id == registration.id or older.since >= registration.since:
                    continue
                if any(w.mechanism == "cbh" and set(wish.forms) & set(w.forms) for w in older.wishes):
                    return older
        return None

    def _matching(self, org: OrgId, tokens: tuple[str, ...], sequence: int) -> Iterator[tuple[Taker, Mechanism]]:
        for registration in self._by_org.get(org, {}).values():
            if registration.used_by not in (None, sequence):
                continue
            for wish in registration.wishes:
                if any(form.matches(tokens) for form in wish.forms):
                    yield Taker(registration, wish.event), wish.mechanism


def _org_tokens(path: str, org: OrgId) -> tuple[Any, ...]:
    tokens = path.split(".")
    channel = tokens[3] if len(tokens) > 3 else ""
    if channel in ("#", "*"):
        raise InvalidBodyError("heimdall_register", ("path: a registration names its channel",))
    return (*NOTIFICATIONS.split("."), channel, "org", org)
