"""One message of the bus as one line for people, or one record for a pipe. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.text import Text

from broker.cli.event_facts import conversation_facts, dead_letter_facts, run_facts, webhook_facts
from broker.cli.terminal import clock_time, one_line
from broker.codec import decode, to_json
from broker.domain import headers as names
from broker.domain.grammar import parse_subject
from broker.domain.subjects import (
    LINK_FACTS,
    VISITOR_KINDS,
    AnySubject,
    ChannelCommandSubject,
    CommandSubject,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    SignalSubject,
    TimerSubject,
    WebhookSubject,
)
from broker.domain.wire import Body
from broker.errors import BackboneError, BodyError, GrammarError

KIND_WIDTH = 13
SESSION_SHOWN = 8
SCHEDULE_HEADER = "Nats-Schedule"

Class = Literal["visitor", "stub", "fact", "receipt", "signal", "run", "timer", "trouble"]
STYLES: dict[Class, str] = {
    "visitor": "bold cyan",
    "stub": "bold green",
    "fact": "bold yellow",
    "receipt": "dim",
    "signal": "dim cyan",
    "run": "bold blue",
    "timer": "dim",
    "trouble": "bold red",
}
ARROWS: dict[Class, str] = {"visitor": "→", "signal": "→", "stub": "←", "run": "⇒", "trouble": "✗"}


_CLASS_OF_KIND: dict[Kind, Class] = {
    **dict.fromkeys(VISITOR_KINDS, "visitor"),
    **dict.fromkeys((*LINK_FACTS, Kind.TIMEOUT), "fact"),
    Kind.RECEIPT: "receipt",
}
_REST: dict[type[AnySubject], tuple[str, Class]] = {
    DeliverySubject: ("run", "run"),
    CommandSubject: ("command", "run"),
    ChannelCommandSubject: ("command", "run"),
    DueSubject: ("due", "timer"),
    DeadLetterSubject: ("dead letter", "trouble"),
    WebhookSubject: ("webhook", "visitor"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as a tap got it; ``sequence`` None for what is not stored."""

    stream: str | None
    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class EventLine:
    """A message, read as far as it can be read; ``body`` None where it holds none that can be decoded."""

    seen: Seen
    subject: AnySubject | None
    body: Body | None
    problem: str | None

    @classmethod
    def read(cls, seen: Seen) -> EventLine:
        """Read a message; whatever is wrong with it is a fact to show, never an error."""
        subject: AnySubject | None = None
        body: Body | None = None
        problem: str | None = None
        try:
            subject = parse_subject(seen.subject)
        except GrammarError:
            problem = "outside the grammar"
        if seen.data:
            try:
                body = decode(seen.data)
            except BodyError as error:
                problem = f"cannot be decoded, {len(seen.data)} bytes: {error.code}"
        return cls(seen, subject, body, problem)

    @property
    def session(self) -> str | None:
        """The session it is about, from wherever it says so."""
        match self.subject:
            case ConversationSubject(session=None, path=path):
                inside = (self.body or {}).get("heimdall")
                content = inside.get(path.channel) if isinstance(inside, dict) else None
                found = content.get("sessionuuid") if isinstance(content, dict) else None
                return found if isinstance(found, str) else None
            case ConversationSubject(session=session):
                return session
            case SignalSubject(conversation=conversation) | TimerSubject(conversation=conversation):
                return conversation.session
            case _:
                return self._session_elsewhere()

    @property
    def kind(self) -> str:
        """What happened, in one word or two."""
        return _classified(self.subject)[0]

    @property
    def group(self) -> Class:
        """Who speaks, for colour and arrow."""
        return _classified(self.subject)[1]

    def facts(self) -> str:
        """The text, or what counts of the rest."""
        if self.problem is not None:
            return f"({self.problem})" + (f" {self.seen.subject}" if self.subject is None else "")
        try:
            return self._redriven() + self._checked_facts()
        except BackboneError as error:
            return f"({error.code}) {to_json(self.body or {})}"

    def text(self) -> Text:
        """The line for a terminal, not cut yet."""
        group = self.group
        session = (self.session or "")[:SESSION_SHOWN]
        sequence = "" if self.seen.sequence is None else str(self.seen.sequence)
        return Text.assemble(
            (clock_time(self.seen.at_ms), "dim"),
            f" {sequence:>6} ",
            (f"{one_line(session):<{SESSION_SHOWN}}", "magenta"),
            f" {ARROWS.get(group, '·')} ",
            (f"{self.kind:<{KIND_WIDTH}}", STYLES[group]),
            " ",
            (one_line(self.facts()), "red" if self.problem else ""),
        )

    def record(self) -> dict[str, Any]:
        """The record for a pipe."""
        seen = self.seen
        found: dict[str, Any] = {
            "stream": seen.stream,
            "sequence": seen.sequence,
            "at_ms": seen.at_ms,
            "subject": seen.subject,
            "kind": self.kind,
            "session": self.session,
            "headers": dict(seen.headers),
            "body": None if self.body is None else _with_readable_bytes(self.body),
        }
        if self.problem is not None:
            found |= {"problem": self.problem, "size_bytes": len(seen.data)}
        return found

    def _redriven(self) -> str:
        """That it was a dead letter, and the sequence that it was first stored under."""
        first = self.seen.headers.get(names.REDRIVEN)
        return "" if first is None else f"(redriven, was {first}) "

    def _checked_facts(self) -> str:
        body = self.body or {}
        match self.subject:
            case ConversationSubject():
                return conversation_facts(self.subject, body, self.seen.headers)
            case DeliverySubject(stub=stub, action=action):
                return f"{stub} {action}  {run_facts(body)}"
            case DeadLetterSubject():
                return dead_letter_facts(body)
            case WebhookSubject(channel=channel, connection=connection):
                return f"{channel} {connection}  {webhook_facts(body)}"
            case TimerSubject() | DueSubject():
                return self._timer_facts(self.subject)
            case _:
                return to_json(body) if body else ""

    def _timer_facts(self, subject: TimerSubject | DueSubject) -> str:
        if isinstance(subject, DueSubject):
            return f"partition {subject.partition}"
        return self.seen.headers.get(SCHEDULE_HEADER, "")

    def _session_elsewhere(self) -> str | None:
        """Of a run its header tells, of a firing its timer's subject, of a dead letter its original's."""
        headers, body = self.seen.headers, self.body or {}
        for subject in (headers.get(names.CONVERSATION), headers.get("Nats-Scheduler"), body.get("subject")):
            if isinstance(subject, str) and ".sessionuuid." in subject:
                return subject.split(".sessionuuid.", 1)[1].split(".", 1)[0]
        return None


def _classified(subject: AnySubject | None) -> tuple[str, Class]:
    match subject:
        case ConversationSubject(kind=kind):
            return kind.removeprefix("stubsession."), _CLASS_OF_KIND.get(kind, "stub")
        case SignalSubject(signal=signal):
            return signal, "signal"
        case TimerSubject(kind=kind):
            return f"{kind} timer", "timer"
        case None:
            return "?", "trouble"
        case other:
            return _REST[type(other)]


def _with_readable_bytes(body: Body) -> Body:
    """A dead letter carries its original as bytes: read them too, where they can be read."""
    return {name: _readable(value) if isinstance(value, bytes) else value for name, value in body.items()}


def _readable(value: bytes) -> Body | str:
    try:
        return decode(value)
    except BodyError:
        return value.decode(errors="backslashreplace")
