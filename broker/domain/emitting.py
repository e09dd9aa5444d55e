"""The task ``heimdall_emit``: a program says what a visitor did, on paths that it names.

Source: specs/stubber-webchat.md section 2.6 (parameters) and 9.2 (22: no wildcards).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from broker.domain.grammar import parse_conversation
from broker.domain.ids import OrgId
from broker.domain.incoming import read_event
from broker.domain.patterns import PATTERN_CHARACTERS_MAX
from broker.domain.registrations import Mechanism, mechanism_of
from broker.domain.subjects import VISITOR_KINDS, Conversation
from broker.domain.wire import Body, Wire, validate
from broker.errors import ForbiddenError, InvalidBodyError, NotEmittableError

PATHS_MAX = 16
WILDCARDS = frozenset("#*>")

_Path = Annotated[str, StringConstraints(min_length=1, max_length=PATTERN_CHARACTERS_MAX)]


class EmitParams(Wire):
    """Parameters of the task; ``path`` and ``mechanism`` are left aside where ``path_strings`` is there."""

    path: _Path | None = None
    path_strings: Annotated[list[_Path], Field(min_length=1, max_length=PATHS_MAX)] | None = None
    mechanism: Mechanism | None = None
    data: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Emission:
    """One event to store; ``subject`` has the session pair once, however the path spells it."""

    subject: str
    conversation: Conversation
    mechanism: Mechanism
    body: Body = field(hash=False)


def read_emit(params: Body, *, org: OrgId) -> tuple[Emission, ...]:
    """The events that a task asks for, each checked as an adapter's; ``data`` is what lies in ``heimdall``.

    Raises:
        InvalidBodyError: a parameter is missing or wrong, or the data are not what the path promises.
        NotEmittableError: a path has a wildcard, or no visitor's event goes there.
        InvalidSubjectError: a path is outside the grammar.
        InvalidNameError: there is no such mechanism.
        ForbiddenError: a path lies in another org.
    """
    wanted = validate(EmitParams, params, what="heimdall_emit")
    return tuple(
        _emission(path, mechanism, {"heimdall": wanted.data}, org=org) for mechanism, path in _destinations(wanted)
    )


def _destinations(wanted: EmitParams) -> list[tuple[Mechanism, str]]:
    if wanted.path_strings is not None:
        return [_split(text) for text in wanted.path_strings]
    if wanted.path is None or wanted.mechanism is None:
        raise InvalidBodyError("heimdall_emit", ("path, mechanism: both are required where 'path_strings' is absent",))
    return [(wanted.mechanism, wanted.path)]


def _split(text: str) -> tuple[Mechanism, str]:
    mechanism, bar, path = text.partition("|")
    if not bar:
        raise InvalidBodyError("heimdall_emit", ("path_strings: each is '<mechanism>|<path>', such as 'evt|stubber…'",))
    return mechanism_of(mechanism), path


def _emission(path: str, mechanism: Mechanism, body: Body, *, org: OrgId) -> Emission:
    if not WILDCARDS.isdisjoint(path.split(".")):
        problem = "an event has one path without wildcards; those are for registrations"
        raise NotEmittableError(path, problem=problem)
    subject = parse_conversation(path)
    if subject.kind not in VISITOR_KINDS:
        problem = f"it must be what a visitor does, '…{subject.path.channel}messagetype.<type>'"
        raise NotEmittableError(path, problem=problem)
    if subject.path.org != org:
        raise ForbiddenError("the path", org=org)
    conversation = read_event(subject, body, None).conversation
    return Emission(conversation.subject(subject.kind), conversation, mechanism, body)
