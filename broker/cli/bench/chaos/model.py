"""The reference model: what must have come of one session's log. It shares no line with the linker's own fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.cli.bench.chaos.book import Event, Rules

MS_PER_HOUR = 3_600_000
MESSAGES = frozenset(("firstmessage", "message"))
VISITOR = frozenset((*MESSAGES, "configuration", "notice", "userdata", "ended"))
SETS = frozenset(("notification", "stubsession.set"))


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has the conversation until when."""

    stub: str
    action: str
    epoch: int
    until_ms: int


@dataclass(slots=True)
class Outcome:
    """What must be there, in this order: runs (event, stub, action), facts (kind, epoch), letters (event, reason)."""

    runs: list[tuple[int, str, str]] = field(default_factory=list)
    facts: list[tuple[str, int]] = field(default_factory=list)
    letters: list[tuple[int, str]] = field(default_factory=list)
    owner: Owner | None = None
    owners: dict[int, Owner] = field(default_factory=dict)


class Model:
    """One session, event by event; time is the log's own."""

    def __init__(self, rules: Rules) -> None:
        self.outcome = Outcome()
        self._rules = rules
        self._opened = self._offered = False
        self._held: list[int] = []
        self._held_until_ms = 0

    def pass_time(self, at_ms: int) -> None:
        """What ran out before that moment is over, whoever noticed."""
        owner = self.outcome.owner
        if owner is not None and at_ms >= owner.until_ms:
            self._end("stubsession.expired")
        if self._held and at_ms >= self._held_until_ms:
            self.outcome.letters += [(sequence, "unanswered") for sequence in self._held]
            self._held = []

    def take(self, event: Event) -> None:
        """The next event of the session's log."""
        self.pass_time(event.at_ms)
        if event.kind in VISITOR:
            self._visitor(event)
        elif event.kind in SETS and event.hours:
            self._link(event)
        elif event.kind == "stubsession.delete":
            self._end("stubsession.cancelled")

    def _visitor(self, event: Event) -> None:
        kind, outcome = event.kind, self.outcome
        if kind in MESSAGES:
            kind, self._opened = ("message" if self._opened else "firstmessage"), True
        taker = self._rules.takers.get((event.chat, kind))
        if outcome.owner is not None:
            outcome.runs.append((event.sequence, outcome.owner.stub, outcome.owner.action))
        elif taker is not None:
            outcome.runs.append((event.sequence, *taker))
            self._offered = self._offered or kind == "firstmessage"
        elif kind != "ended":
            self._wait(event)
        if kind == "ended":
            self._end("stubsession.cancelled")

    def _wait(self, event: Event) -> None:
        if not self._offered:
            if event.kind != "notice":  # news for whoever wants it
                self.outcome.letters.append((event.sequence, "unrouted"))
        elif len(self._held) >= self._rules.held_max:
            self.outcome.letters.append((event.sequence, "unanswered"))
        else:
            self._held_until_ms = self._held_until_ms if self._held else event.at_ms + self._rules.hold_ms
            self._held.append(event.sequence)

    def _link(self, event: Event) -> None:
        until_ms = event.at_ms + max(1, round(event.hours * MS_PER_HOUR))
        owner = Owner(event.stub, event.action or self._rules.default_action, event.sequence, until_ms)
        self.outcome.owner = self.outcome.owners[owner.epoch] = owner
        self.outcome.facts.append(("stubsession.linked", owner.epoch))
        self.outcome.runs += [(sequence, owner.stub, owner.action) for sequence in self._held]
        self._held, self._offered = [], False

    def _end(self, fact: str) -> None:
        if self.outcome.owner is not None:
            self.outcome.facts.append((fact, self.outcome.owner.epoch))
            self.outcome.owner, self._opened = None, False


def expected(events: Iterable[Event], rules: Rules, *, until_ms: int) -> Outcome:
    """What one session's events must have led to, and time alone after them, up to ``until_ms``."""
    model = Model(rules)
    for event in events:
        model.take(event)
    model.pass_time(until_ms)
    return model.outcome
