"""What a tap has to read for a pattern: which streams, under which stored subjects. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from broker.domain.ids import OrgId, SessionId
from broker.domain.patterns import Pattern
from broker.domain.subjects import COMMANDS, DEADLETTERS, NOTIFICATIONS, ROOT, SIGNALS, STUBS, TIMERS, WEBHOOKS
from broker.errors import InvalidPatternError
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES, TIMER_STREAM, WEBHOOK_STREAM

Tokens = tuple[str, ...]

STREAM_OF_AREA: dict[str, str | None] = {
    NOTIFICATIONS: CONVERSATIONS,
    STUBS: DELIVERIES,
    TIMERS: TIMER_STREAM,
    DEADLETTERS: DEADLETTER_STREAM,
    WEBHOOKS: WEBHOOK_STREAM,
    SIGNALS: None,
}
"""Area by area the stream that keeps it; None: kept nowhere."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read; ``stream`` None means a plain subscription, for what is never stored."""

    stream: str | None
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What besides the pattern limits a tap; None: nothing."""

    org: OrgId | None = None
    session: SessionId | None = None


def sources(pattern: Pattern, narrowing: Narrowing) -> tuple[Source, ...]:
    """The sources of a pattern.

    Raises:
        InvalidPatternError: it reaches nothing that can be watched.
    """
    found = []
    for area, stream in STREAM_OF_AREA.items():
        wanted = _limited(pattern.tokens, area, narrowing)
        filters = [".".join(tokens) for tokens in wanted]
        if stream is not None:
            # Most subjects are stored behind their partition, some (initialize, what is malformed) as they are.
            filters += [f"p.*.{tokens}" for tokens in filters]
        if filters:
            found.append(Source(stream, tuple(filters)))
    if not found:
        raise InvalidPatternError(str(pattern), problem=_why_nothing(pattern))
    return tuple(found)


def _limited(pattern: Tokens, area: str, narrowing: Narrowing) -> list[Tokens]:
    """The pattern within one area, as disjoint patterns; empty where it cannot match there."""
    wanted = [meet(pattern, (*area.split("."), ">"))]
    if narrowing.org is not None:
        wanted = [meet(tokens, form) for tokens in wanted for form in _org_forms(area, narrowing.org)]
    if narrowing.session is not None:
        wanted = [meet(tokens, form) for tokens in wanted for form in _session_forms(area, narrowing.session)]
    return [tokens for tokens in wanted if tokens is not None]


def _org_forms(area: str, org: OrgId) -> tuple[Tokens, ...]:
    """The subjects of one org in an area; a firing's subject does not name one."""
    before = {STUBS: (), DEADLETTERS: (), WEBHOOKS: (), TIMERS: ("*", "*")}.get(area, ("*",))
    return ((*area.split("."), *before, "org", org, ">"),)


def _session_forms(area: str, session: SessionId) -> tuple[Tokens, ...]:
    """The subjects of one session in an area; where the subject does not tell, all of them."""
    head = tuple(area.split("."))
    path = ("*", "org", "*", "name", "*")
    if area == TIMERS:
        return ((*head, "*", *path, "sessionuuid", session),)
    if area == SIGNALS:
        return ((*head, *path, "sessionuuid", session, ">"),)
    if area == NOTIFICATIONS:
        return (*head, *path, "sessionuuid", session, ">"), (*head, *path, "*", "initialize")
    return ((*head, ">"),)


def meet(one: Tokens | None, other: Tokens) -> Tokens | None:
    """The pattern that matches what both match, None if nothing can."""
    if one is None:
        return None
    met: list[str] = []
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left == ">":
            return (*met, *other[place:])
        if right == ">":
            return (*met, *one[place:])
        if "*" not in (left, right) and left != right:
            return None
        met.append(right if left == "*" else left)
    return tuple(met) if len(one) == len(other) else None


def _why_nothing(pattern: Pattern) -> str:
    if meet(pattern.tokens, (*COMMANDS.split("."), ">")) is not None:
        return "commands are asked and answered; a watcher among those who answer would disturb them"
    areas = ", ".join(area.removeprefix(f"{ROOT}.") for area in STREAM_OF_AREA)
    return f"nothing is published there: expected '{ROOT}.' and one of {areas}"
