"""The checker: what a run left behind against what the reference model says; pure, so it can be shown to fail."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from broker.cli.bench.chaos.book import Book, Event, Letter, Rules, Run
from broker.cli.bench.chaos.model import SETS, VISITOR, Outcome, expected

Fault = Literal["lost", "doubled", "reordered", "falsely_expired", "wrong", "late"]
FAULTS: tuple[Fault, ...] = ("lost", "doubled", "reordered", "falsely_expired", "wrong", "late")
ANY = "any"
"""As the reason of a dead letter: garbage must end as one, why is another test's matter."""
LOG = "CONVERSATIONS"
EXAMPLES_MAX = 20
LATE_MS = 500
SETTLED_MS = 1_000
"""What ran out this shortly before the reading may still be on its way."""
FACTS = frozenset(("stubsession.linked", "stubsession.expired", "stubsession.cancelled"))
FOLDED = VISITOR | SETS | {"stubsession.delete", "stubsession.timeout"}
ANSWERED = frozenset(("welcome", "_create", "_update_from_webchat"))
"""Actions of the demo program that notify once; ``create_stub`` makes one run of ``_create``."""


Place = tuple[int, str, str]
"""A run: the event's sequence, the stub, the action."""


@dataclass(slots=True)
class Verdict:
    """How much of what was wrong, with the first examples, and how late each expiry in quiet running was."""

    faults: Counter[Fault] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    late_ms: list[int] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing at all was wrong."""
        return not self.faults.total()

    def blame(self, fault: Fault, what: str, count: int = 1) -> None:
        """Note a violation."""
        if count > 0:
            self.faults[fault] += count
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(f"{fault}: {what}" + (f" ({count} times)" if count > 1 else ""))


def check(book: Book, rules: Rules, *, late_ms_max: int = LATE_MS) -> Verdict:
    """Judge a run: every event ended once and in order, every fact is true and there once."""
    verdict = Verdict()
    _check_sent(book, verdict)
    sessions: dict[str, list[Event]] = defaultdict(list)
    for event in book.events:
        sessions[event.session].append(event)
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in book.runs:
        runs[run.session].append(run)
    letters = _letters_by_session(book)
    for session, events in sessions.items():
        outcome = _outcome(events, rules, book.read_at_ms - SETTLED_MS)
        _check_runs(session, runs.pop(session, []), _welcomes(events, rules), outcome, verdict)
        _check_facts(session, events, outcome, verdict)
        _check_letters(session, letters.get(session, []), outcome, verdict)
        _check_lateness(events, book, late_ms_max, verdict)
    for session, strays in runs.items():
        verdict.blame("wrong", f"runs for session {session[:8]}, which nobody began", len(strays))
    _check_strays(book, verdict)
    _check_answers(book, rules, verdict)
    return verdict


def _check_sent(book: Book, verdict: Verdict) -> None:
    """What was acknowledged is in the log, once, and in the order in which each session sent it."""
    places: dict[str, list[int]] = defaultdict(list)
    for event in book.events:
        places[event.id].append(event.sequence)
    last: dict[str, int] = {}
    for sent in sorted(book.sent, key=lambda sent: (sent.session, sent.number)):
        found = places.get(sent.id, [])
        if not found:
            verdict.blame("lost", f"event {sent.id} is not in the log")
            continue
        verdict.blame("doubled", f"event {sent.id} is in the log at {found}", len(found) - 1)
        if found[0] < last.get(sent.session, 0):
            verdict.blame("reordered", f"event {sent.id} of session {sent.session[:8]} is before one sent earlier")
        last[sent.session] = max(found[0], last.get(sent.session, 0))


def _outcome(events: Sequence[Event], rules: Rules, until_ms: int) -> Outcome:
    """What the model says; garbage is none of it."""
    outcome = expected((e for e in events if e.kind in FOLDED and not e.garbage), rules, until_ms=until_ms)
    outcome.letters += [(event.sequence, ANY) for event in events if event.garbage]
    return outcome


def _welcomes(events: Iterable[Event], rules: Rules) -> list[Place]:
    """The runs that a session's beginning must have led to, whoever registered for it."""
    begun = [event for event in events if event.kind == "initialize" and not event.garbage]
    return [(e.sequence, *rules.takers[e.chat, e.kind]) for e in begun if (e.chat, e.kind) in rules.takers]


def _check_runs(
    session: str, runs: Iterable[Run], welcomes: Sequence[Place], outcome: Outcome, verdict: Verdict
) -> None:
    """A session's beginning has a lane of its own (design.md section 4, step 6): its run may come after others."""
    ordered = sorted((run for run in runs if run.event), key=lambda run: run.sequence)
    found = [(run.event, run.stub, run.action) for run in ordered]
    own = {place[0] for place in welcomes}
    _compare("run", session, [place for place in found if place[0] in own], welcomes, verdict)
    _compare("run", session, [place for place in found if place[0] not in own], outcome.runs, verdict)


def _check_facts(session: str, events: Sequence[Event], outcome: Outcome, verdict: Verdict) -> None:
    facts = [event for event in events if event.kind in FACTS]
    early = {
        event.sequence for event in facts if event.kind == "stubsession.expired" and event.at_ms < event.deadline_ms
    }
    wanted = set(outcome.facts)
    for event in facts:
        owner = outcome.owners.get(event.epoch)
        what = f"{event.kind} of epoch {event.epoch} in session {session[:8]}"
        if event.sequence in early:
            verdict.blame("falsely_expired", f"{what} came before its deadline")
        elif event.kind == "stubsession.expired" and (event.kind, event.epoch) not in wanted:
            verdict.blame("falsely_expired", f"{what} did not happen")
        elif owner is not None and (event.stub, event.deadline_ms) != (owner.stub, owner.until_ms):
            verdict.blame("wrong", f"{what} names another stub or deadline")
    for event in events:
        if event.kind == "stubsession.timeout" and event.at_ms < event.deadline_ms:
            verdict.blame("falsely_expired", f"timeout {event.sequence} was told before its deadline")
    falsely = {("stubsession.expired", event.epoch) for event in facts} - wanted
    found = [(event.kind, event.epoch) for event in facts]
    _compare("fact", session, [fact for fact in found if fact not in falsely], outcome.facts, verdict)


def _check_letters(session: str, letters: Sequence[Letter], outcome: Outcome, verdict: Verdict) -> None:
    any_reason = {event for event, reason in outcome.letters if reason == ANY}
    found = [(letter.event, ANY if letter.event in any_reason else letter.reason) for letter in letters]
    _compare("dead letter", session, found, outcome.letters, verdict, ordered=False)


def _compare(
    what: str,
    session: str,
    found: Sequence[tuple[Hashable, ...]],
    wanted: Sequence[tuple[Hashable, ...]],
    verdict: Verdict,
    *,
    ordered: bool = True,
) -> None:
    """Each wanted one is found once, in order, and nothing else is."""
    counts, place = Counter(found), {item: index for index, item in enumerate(wanted)}
    for item in wanted:
        if not counts[item]:
            verdict.blame("lost", f"{what} {item} of session {session[:8]}")
    for item, count in counts.items():
        if item in place:
            verdict.blame("doubled", f"{what} {item} of session {session[:8]}", count - 1)
        else:
            verdict.blame("wrong", f"{what} {item} of session {session[:8]} was not to be", count)
    places = [place[item] for item in dict.fromkeys(found) if item in place]
    if ordered:
        turned = sum(later < before for before, later in pairwise(places))
        verdict.blame("reordered", f"{what}s of session {session[:8]}: {[wanted[index] for index in places]}", turned)


def _check_lateness(events: Iterable[Event], book: Book, late_ms_max: int, verdict: Verdict) -> None:
    for event in events:
        if event.kind != "stubsession.expired":
            continue
        due, at = event.deadline_ms, event.at_ms
        if any(begin <= due + late_ms_max and due <= end for begin, end in book.disturbed):
            continue
        verdict.late_ms.append(at - due)
        if at - due > late_ms_max:
            verdict.blame("late", f"expired of epoch {event.epoch} came {at - due} ms after its deadline")


def _check_strays(book: Book, verdict: Verdict) -> None:
    """Dead letters about anything but the log: a stub's run, or a timer, that somebody could not take."""
    known = {event.sequence for event in book.events}
    for letter in book.letters:
        if letter.stream != LOG or letter.event not in known:
            verdict.blame("wrong", f"dead letter {letter.reason} about {letter.stream} {letter.event}")


def _check_answers(book: Book, rules: Rules, verdict: Verdict) -> None:
    """Each run of the program was answered once: a notification by its stub, or the run of the stub it made."""
    wanted: Counter[tuple[str, str]] = Counter()
    created: Counter[str] = Counter()
    for run in book.runs:
        if run.stub.partition(".")[0] == rules.service and run.action in ANSWERED:
            wanted[run.session, run.stub] += 1
        created[run.session] += (run.action == "_create") - (run.action == "create_stub")
    found = Counter(
        (event.session, event.stub)
        for event in book.events
        if event.kind == "notification" and event.stub.partition(".")[0] == rules.service
    )
    for key in wanted.keys() | found.keys():
        what = f"answers of {key[1]} to session {key[0][:8]}: {found[key]} for {wanted[key]} runs"
        verdict.blame("lost", what, wanted[key] - found[key])
        verdict.blame("doubled", what, found[key] - wanted[key])
    for session, difference in created.items():
        verdict.blame("doubled", f"a stub made for session {session[:8]}", difference)
        verdict.blame("lost", f"a stub to be made for session {session[:8]}", -difference)


def _letters_by_session(book: Book) -> dict[str, list[Letter]]:
    session_of = {event.sequence: event.session for event in book.events}
    found: dict[str, list[Letter]] = defaultdict(list)
    for letter in book.letters:
        if letter.stream == LOG and letter.event in session_of:
            found[session_of[letter.event]].append(letter)
    return found
