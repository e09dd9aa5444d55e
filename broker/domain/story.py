"""The whole story of one message: what was decided and why, and what really happened, as ordered steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from broker.domain import headers as names
from broker.domain.decisions import Decision, Step, Target, span_text
from broker.domain.events import Linked, Receipt, Timeout, Unlinked
from broker.domain.ids import ActionName, Stub
from broker.domain.replay import LogEvent, Unread
from broker.domain.subjects import LINK_FACTS, Kind
from broker.domain.wire import Model, validate
from broker.errors import BackboneError

Handling = Literal["done", "in_hand", "waiting", "unknown"]
"""How far a consumer is with a message; unknown: there is no such consumer."""

ANSWERS_SHOWN_MAX = 20
LOG, RUNS = "CONVERSATIONS", "DELIVERIES"
"""The streams that a dead letter's original may be of."""
UNTAKEN = ("unrouted", "unanswered")
"""The reasons that the fold itself gives; any other one means that it never came to the event."""


@dataclass(frozen=True, slots=True)
class RunFound:
    """A run in DELIVERIES that the event caused; ``via``: the run that made it, None where the event itself did.

    ``applied``: the stub's record says that its service has finished it; None where there is no such record.
    ``begun``: how often it was begun, as far as the record says, and is not finished. ``again``: the run that it
    repeats, which was a dead letter.
    """

    sequence: int
    at_ms: int
    stub: Stub
    action: ActionName
    handling: Handling
    applied: bool | None = None
    begun: int = 0
    via: int | None = None
    again: str | None = None
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class LetterFound:
    """A dead letter of the event, or of one of its runs."""

    sequence: int
    at_ms: int
    stream: str
    original: int
    reason: str
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found about one event. ``events``: its conversation from it on; ``decision`` None: not replayed."""

    event: LogEvent
    events: tuple[LogEvent, ...] = ()
    decision: Decision | None = None
    handling: Handling = "done"
    runs: tuple[RunFound, ...] = ()
    letters: tuple[LetterFound, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """The story of one event; ``steps`` in the order of their times, those without one last."""

    event: LogEvent
    decision: Decision
    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """The story as one JSON document; no text of any message is in it."""
        event, link, place = self.event, self.decision.link, self.event.conversation
        return {
            "sequence": event.sequence,
            "event_id": event.headers.get(names.MESSAGE_ID),
            "sender": event.headers.get(names.STUB),
            "subject": event.subject,
            "kind": event.kind,
            "session": None if place is None else place.session,
            "chat": None if place is None else place.path.chat,
            "org": None if place is None else place.path.org,
            "stored_at_ms": event.at_ms,
            "decision": self.decision.word,
            "why": self.decision.why,
            "link": None if link is None else {**asdict(link), "stub": str(link.stub)},
            "steps": [
                {
                    "what": step.what,
                    "text": step.text,
                    "at_ms": step.at_ms,
                    "after_ms": self.after_ms(step),
                    **step.facts,
                }
                for step in self.steps
            ],
            "remarks": list(self.remarks),
        }

    def after_ms(self, step: Step) -> int | None:
        """How long after the event the step was; below zero before it."""
        return None if step.at_ms is None else step.at_ms - self.event.at_ms


def tell(found: Evidence) -> Story:
    """Put the pieces in order; what really happened counts more than what was to happen."""
    decision = _decision(found)
    steps = [*_begin(found), *decision.steps, *_facts(found), *_receipts(found)]
    steps += [*_runs(found), *_missing(found, decision), *_letters(found), *_answers(found)]
    timed = sorted((step for step in steps if step.at_ms is not None), key=lambda step: step.at_ms or 0)
    untimed = [step for step in steps if step.at_ms is None]
    return Story(found.event, decision, (*timed, *untimed), (*found.remarks, *_differences(found, decision)))


def _decision(found: Evidence) -> Decision:
    """The replayed decision, unless what happened speaks against it, or there was nothing to decide."""
    event, letter = found.event, next((found for found in found.letters if found.stream == LOG), None)
    runs = [run for run in found.runs if run.via is None]
    if letter is not None and not runs and letter.reason not in UNTAKEN:
        return Decision("refused", f"{letter.reason}: {letter.detail}", event.at_ms)
    replayed = _replayed(found)
    if letter is not None and not runs and replayed.word != "dead_lettered":
        why = f"{letter.detail}; as registered now it would have been: {replayed.why}"
        return Decision("dead_lettered", why, letter.at_ms, replayed.link)
    if runs and replayed.word in ("dead_lettered", "unheard"):
        why = f"{runs[0].stub} took it, though as registered now nobody would: {replayed.why}"
        return Decision("delivered", why, runs[0].at_ms, replayed.link)
    return replayed


def _replayed(found: Evidence) -> Decision:
    event = found.event
    if not event.is_folded:
        return Decision("not_folded", _fact_text(event), event.at_ms)
    incoming = event.incoming()
    if isinstance(incoming, Unread):
        return Decision("refused", f"{incoming.code}: {incoming.detail}", event.at_ms)
    if found.decision is None:
        return Decision("unknown", "the replay did not come to this event", None)
    return found.decision


def _begin(found: Evidence) -> Iterator[Step]:
    event = found.event
    by = f", from {event.headers[names.STUB]}" if names.STUB in event.headers else ""
    before = f"; first as {event.headers[names.REDRIVEN]}" if names.REDRIVEN in event.headers else ""
    yield Step("stored", f"as {event.sequence} of the log{by}{before}", event.at_ms)
    for other in found.events:
        if other.headers.get(names.REDRIVEN) == str(event.sequence):
            yield Step("redriven", f"as event {other.sequence}", other.at_ms, {"event": other.sequence})
    if event.kind is Kind.TIMEOUT and (told := _read(Timeout, event)) is not None:
        late_ms = event.at_ms - told.deadline_at_ms
        when = f"{span_text(late_ms)} {'late' if late_ms >= 0 else 'early'}"
        text = f"of the {told.timer} of epoch {told.epoch}, told {when}"
        yield Step("deadline", text, told.deadline_at_ms, {"late_ms": late_ms, "epoch": told.epoch})
    waiting = {"waiting": "not handled yet: it waits for the linker", "in_hand": "a linker has it in hand"}
    if found.handling in waiting:
        yield Step("waiting", waiting[found.handling])
    if found.handling == "unknown":
        yield Step("waiting", "no linker has ever run on this log: start one with 'heimdall worker linker'")


def _facts(found: Evidence) -> Iterator[Step]:
    """The facts of the epoch that this event set, and of the one that it ended."""
    event, link = found.event, None if found.decision is None else found.decision.link
    epochs = {event.sequence} | ({link.epoch} if link is not None else set())
    for other in found.events:
        if other.kind not in LINK_FACTS or other.sequence <= event.sequence:
            continue
        linked = _read(Linked, other) if other.kind is Kind.LINKED else None
        ended = _read(Unlinked, other) if other.kind is not Kind.LINKED else None
        if linked is not None and linked.epoch == event.sequence:
            until = span_text(linked.expires_at_ms - event.at_ms)
            text = f"{linked.stub} owns the conversation for {until}; fact {other.sequence}"
            yield Step("linked", text, other.at_ms, {"fact": other.sequence, "epoch": linked.epoch})
        elif ended is not None and ended.epoch in epochs:
            text = f"the link of epoch {ended.epoch} to {ended.stub} ({ended.reason}); fact {other.sequence}"
            yield Step(_end_word(other), text, other.at_ms, {"fact": other.sequence, "epoch": ended.epoch})


def _receipts(found: Evidence) -> Iterator[Step]:
    event, seen = found.event, False
    for other in found.events:
        receipt = _read(Receipt, other) if other.kind is Kind.RECEIPT else None
        if receipt is not None and receipt.notification == event.sequence:
            seen = True
            text = f"{receipt.status}{f': {receipt.reason}' if receipt.reason else ''}; receipt {other.sequence}"
            yield Step("receipt", text, other.at_ms, {"status": receipt.status, "reason": receipt.reason})
    if event.kind is Kind.NOTIFICATION and not seen:
        yield Step("receipt", "none yet: the visitor has not been shown it, or the channel gives no receipts")


def _runs(found: Evidence) -> Iterator[Step]:
    for run in found.runs:
        via = "" if run.via is None else f", made by run {run.via}"
        via += "" if run.again is None else f", run {run.again} redriven"
        facts = {"run": run.sequence, "stub": str(run.stub), "action": run.action, "handling": run.handling}
        yield Step("delivered", f"{run.action} on {run.stub} (run {run.sequence}{via})", run.at_ms, facts)
        if (text := _progress(run, found)) is not None:
            yield Step("run", f"{run.sequence} {text}", None, {"run": run.sequence})


def _progress(run: RunFound, found: Evidence) -> str | None:
    dead = any(letter.stream == RUNS and letter.original == run.sequence for letter in found.letters)
    if dead:
        return None  # the letter tells
    if run.applied:
        return f"is done: {run.stub.service} has kept what it changed"
    begun = f"; begun {run.begun} times so far" if run.begun else ""
    return {
        "done": f"is done: {run.stub.service} has acknowledged it",
        "in_hand": f"is in hand at {run.stub.service}, or waits there to be tried again{begun}",
        "waiting": f"waits for {run.stub.service} to take it",
        "unknown": f"waits: no program has ever taken runs of {run.stub.service} in this org",
    }[run.handling]


def _missing(found: Evidence, decision: Decision) -> Iterator[Step]:
    """What was to be delivered and is not there."""
    if found.handling != "done":
        return
    for target in decision.targets:
        if not any(_is(run, target) for run in found.runs):
            yield Step("missing", f"no run {target.action} on {target.stub} was found, though the replay asks for it")


def _letters(found: Evidence) -> Iterator[Step]:
    for letter in found.letters:
        what = "the event" if letter.stream == LOG else f"run {letter.original}"
        attempts = "1 attempt" if letter.attempts == 1 else f"{letter.attempts} attempts"
        text = f"{letter.reason}: {what}, after {attempts} (letter {letter.sequence}): {letter.detail}"
        facts = {"letter": letter.sequence, "reason": letter.reason, "attempts": letter.attempts}
        yield Step("dead letter", text, letter.at_ms, facts)


def _answers(found: Evidence) -> Iterator[Step]:
    """What a service on the kit published while it ran these runs: its ids derive from the run's."""
    made = {f"{run.event_id}-": run for run in found.runs if run.event_id}
    shown = 0
    for other in found.events:
        message_id = other.headers.get(names.MESSAGE_ID, "")
        run = made.get(message_id[: message_id.rfind("-") + 1])
        if run is not None and shown < ANSWERS_SHOWN_MAX:
            shown += 1
            text = f"{other.kind} {other.sequence}, from run {run.sequence}"
            yield Step("answered", text, other.at_ms, {"event": other.sequence, "run": run.sequence})


def _differences(found: Evidence, decision: Decision) -> Iterator[str]:
    """Where what happened is not what the replay says: registrations and profiles change."""
    extra = [run for run in found.runs if run.via is None and not any(_is(run, target) for target in decision.targets)]
    if extra and found.decision is not None:
        yield (
            "the run that was found is not the one that the replay asks for: the registrations, the chat's profile or "
            "the linker's settings were others then"
        )


def _is(run: RunFound, target: Target) -> bool:
    return target.by_turns or (run.stub == target.stub and run.action == target.action)


def _end_word(event: LogEvent) -> str:
    return "expired" if event.kind is Kind.EXPIRED else "cancelled"


def _fact_text(event: LogEvent) -> str:
    """Where the story of a fact is told."""
    if (receipt := _read(Receipt, event) if event.kind is Kind.RECEIPT else None) is not None:
        return (
            f"a receipt of notification {receipt.notification}: 'heimdall explain {receipt.notification}' tells of it"
        )
    fact = _read(Linked, event) if event.kind is Kind.LINKED else _read(Unlinked, event)
    if fact is None:
        return "a fact of the past, which nobody folds; its body cannot be read"
    return f"a fact about the link of epoch {fact.epoch}: 'heimdall explain {fact.epoch}' tells how it was set"


def _read(model: type[Model], event: LogEvent) -> Model | None:
    """The body as this model, None where it is none."""
    try:
        return None if event.body is None else validate(model, event.body, what="fact")
    except BackboneError:
        return None
