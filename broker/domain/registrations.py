"""Registrations: a stub's standing wishes, as they are asked for, kept and read.

Source: specs/stubber-webchat.md section 2.6 (fields, mechanisms) and 9.2 (16 to 21).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, JsonValue, StringConstraints

from broker.domain.events import UUID, Action, Label, StubName, Text
from broker.domain.ids import ActionName, OrgId, Stub
from broker.domain.patterns import PATTERN_CHARACTERS_MAX, Pattern, registered_forms
from broker.domain.subjects import NOTIFICATIONS
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError, InvalidNameError, InvalidPatternError

EVENTS_MAX = 16

Mechanism = Literal["*", "evt", "cbh", "rra", "rnd", "evb"]
MECHANISMS: tuple[Mechanism, ...] = get_args(Mechanism)

WAIT_S_MAX = 31_622_400
"""A year."""
WAIT_S_DEFAULT = 3_600.0
NS_PER_MS = 1_000_000


class RegisteredEvent(Wire):
    """One path that is waited for."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=PATTERN_CHARACTERS_MAX)]
    mechanism: Mechanism
    timeout_seconds: Annotated[float, Field(gt=0, le=WAIT_S_MAX, allow_inf_nan=False)] | None = None


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

    ``made_at_ms`` is when it was made the last time: the wait of a registration of one time is counted from there.
    ``used_by`` is the log sequence of the event that a registration of one time was used for: it matches that event
    alone from then on, so that the event, seen again after a crash, is decided as before. ``lapse`` says how far the
    end of a wait that was in vain has come: it is kept a while, since older events may still be on their way to it.
    """

    org: UUID
    stub: StubName
    since: int
    params: RegisterParams
    made_at_ms: int | None = None
    used_by: int | None = None
    lapse: Literal["lapsed", "reported"] | None = None


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
    lapse: Literal["lapsed", "reported"] | None = None

    @property
    def live(self) -> bool:
        """Whether events to come may trigger it, as far as is known; its own clock aside."""
        return self.used_by is None and self.lapse is None

    @property
    def until_ms(self) -> int | None:
        """When the last of its waits is over, None where there is no end."""
        ends = [wish.until_ms for wish in self.wishes]
        return max(end for end in ends if end is not None) if None not in ends else None


@dataclass(frozen=True, slots=True)
class Wish:
    """One of a registration's events with all its forms.

    ``until_ms``: from that moment it matches no event any more; ``run_s``: how long a run of it may take. At most one
    of them is there: ``timeout_seconds`` limits the wait of a registration of one time, the run of one that stays.
    """

    event: str
    mechanism: Mechanism
    forms: tuple[Pattern, ...]
    until_ms: int | None = None
    run_s: float | None = None


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
    wishes = tuple(_wish(name, event, record) for name, event in params.events.items())
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
        lapse=record.lapse,
    )


def mechanism_of(text: str) -> Mechanism:
    """The mechanism that an event is emitted under, as the header ``Heimdall-Mechanism`` says it.

    Raises:
        InvalidNameError: there is none of that name.
    """
    for mechanism in MECHANISMS:
        if text == mechanism:
            return mechanism
    raise InvalidNameError("mechanism", text, expected="one of " + ", ".join(MECHANISMS))


def _wish(name: str, event: RegisteredEvent, record: RegistrationRecord) -> Wish:
    forms = registered_forms(Pattern.from_heimdall(event.path))
    if record.params.on_trigger_method == "keep":
        return Wish(name, event.mechanism, forms, run_s=event.timeout_seconds)
    made_at_ms = record.since // NS_PER_MS if record.made_at_ms is None else record.made_at_ms
    wait_s = WAIT_S_DEFAULT if event.timeout_seconds is None else event.timeout_seconds
    return Wish(name, event.mechanism, forms, until_ms=made_at_ms + round(wait_s * 1000))


def _org_tokens(path: str, org: OrgId) -> tuple[Any, ...]:
    tokens = path.split(".")
    channel = tokens[3] if len(tokens) > 3 else ""
    if channel in ("#", "*"):
        raise InvalidBodyError("heimdall_register", ("path: a registration names its channel",))
    return (*NOTIFICATIONS.split("."), channel, "org", org)
