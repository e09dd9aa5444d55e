"""Gathers what is known about one event: its conversation's log, the rules as they are now, runs and dead letters."""

from __future__ import annotations

from dataclasses import dataclass

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain.decisions import Decision, decide
from broker.domain.grammar import parse_conversation
from broker.domain.ids import OrgId, Stub
from broker.domain.incoming import Incoming
from broker.domain.profiles import Profile, profile_key
from broker.domain.registrations import RegistrationRecord, to_registration
from broker.domain.registry import Occasion, Registry, Taker
from broker.domain.replay import Folded, LogEvent, Rules, Unread, replay, start_of
from broker.domain.session import State
from broker.domain.sessions import SessionRecord
from broker.domain.story import Evidence, RunFound
from broker.domain.stubsessions import StateRecord, session_key
from broker.domain.subjects import VISITOR_KINDS, Conversation, Kind
from broker.domain.wire import validate
from broker.errors import BackboneError, BodyError, GrammarError
from broker.transport.connection import Connection
from broker.transport.outcome import ReadProgress, find_letters, find_runs, linker_handling
from broker.transport.reader import StoredMessage, read_range
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS

BEFORE_MAX = 20_000
"""Events of the conversation, from its beginning; the one to explain must be among them to be replayed in full."""
AFTER_MAX = 2_000
"""Else so many from that one on, for facts and receipts."""
AGED = "the log may no longer hold the beginning of this conversation (age limit)"
CUT = f"more than {BEFORE_MAX:,} events of this conversation came before this one"
INSTEAD = "the facts that are left and from the state that the linker keeps, as far as they tell"
CLOCKS_DIFFER_NS = 1_000_000_000
"""A registration is dated by its linker's clock, an event by the server's."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look."""

    connection: Connection
    registrations: Records
    profiles: Records
    sessions: Records
    states: Records
    progress: ReadProgress


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The conversation, folded again."""

    events: tuple[LogEvent, ...] = ()
    decision: Decision | None = None
    remarks: tuple[str, ...] = ()


def log_event(message: StoredMessage) -> LogEvent:
    """A stored message of the log, decoded as the linker does it."""
    body, undecoded = None, None
    try:
        body = decode(message.data, depth_max=EVENT_DEPTH_MAX)
    except BodyError as error:
        undecoded = Unread(error.code, str(error))
    return LogEvent(message.sequence, message.stored_at_ms, message.public_subject, message.headers, body, undecoded)


async def gather(sources: Sources, message: StoredMessage) -> Evidence:
    """Everything about the event, each search with a bound.

    Raises:
        BackboneError: the bus is away, or the streams are not there.
    """
    event = log_event(message)
    replayed = await _replay(sources, event, message)
    decision, org = replayed.decision, _org_of(event)
    runs: tuple[RunFound, ...] = ()
    remarks = replayed.remarks
    if decision is not None and org is not None and event.kind in VISITOR_KINDS:
        runs, more = await find_runs(sources.connection, org, event, decision, sources.progress)
        remarks += more
    letters, more = await find_letters(sources.connection, org, event, {run.sequence for run in runs})
    handling = await linker_handling(sources.connection, message) if event.is_folded else "done"
    return Evidence(event, replayed.events, decision, handling, runs, letters, (*remarks, *more))


async def _replay(sources: Sources, event: LogEvent, message: StoredMessage) -> _Replayed:
    conversation = event.conversation
    if conversation is None:
        return _Replayed((event,))
    session = await sources.sessions.read(conversation.session)
    known = None if session.value is None else validate(SessionRecord, decode(session.value), what="session record")
    if event.kind is Kind.INITIALIZE:
        rules = await _rules(sources, conversation, None)
        return _Replayed((event,), decide(replay([event], State(), rules), event.sequence))
    rules = await _rules(sources, conversation, None if known is None else known.created_at_ms)
    events, cut = await _events(sources.connection, conversation, message)
    stored = await _stored_state(sources.states, conversation)
    whole = not cut and await _is_whole(sources.connection, rules)
    folded = replay(events, State() if whole else start_of(events, stored), rules)
    remarks = list(_remarks(folded, stored, lost=CUT if cut else None if whole else AGED))
    if known is not None and known.path != conversation.path:
        remarks.append(f"the session lives in chat {known.chat_name} of org {known.org}, not in this one")
    after = tuple(found for found in events if found.sequence >= event.sequence)
    return _Replayed(after, decide(folded, event.sequence), tuple(remarks))


async def _rules(sources: Sources, conversation: Conversation, known_since_ms: int | None) -> Rules:
    """Registrations and profile as they are now; what was registered only after an event did not take it."""
    org, registry = conversation.path.org, Registry()
    for entry in await sources.registrations.entries(org):
        try:
            record = validate(RegistrationRecord, decode(entry.value), what="registration record")
            registry.put(to_registration(record))
        except BackboneError:
            continue  # a newer worker's; the linker passes over it too

    def takers(kind: Kind, occasion: Occasion) -> tuple[Taker, ...]:
        found = registry.takers(org, conversation.subject(kind), occasion, _first)
        latest_ns = occasion.at_ms * 1_000_000 + CLOCKS_DIFFER_NS
        return tuple(taker for taker in found if taker.registration.since <= latest_ns)

    value = (await sources.profiles.read(profile_key(org, conversation.path.chat))).value
    profile = None if value is None else validate(Profile, decode(value), what="profile")

    def fallback(incoming: Incoming) -> Stub | None:
        return None if profile is None else profile.fallback(incoming.thread.route)

    return Rules(fallback, takers, known_since_ms=known_since_ms)


def _first(_ids: tuple[str, ...]) -> int:
    """Whose turn it was is kept by the linkers alone: the run shows it."""
    return 0


async def _events(
    connection: Connection, conversation: Conversation, message: StoredMessage
) -> tuple[list[LogEvent], bool]:
    """The conversation up to the event and a part of what came afterwards; true: what came before it was too long."""
    partition = message.subject.removesuffix(message.public_subject)
    filters = (f"{partition}{conversation.prefix}.>",)
    found = await read_range(connection, CONVERSATIONS, filters, limit=BEFORE_MAX)
    cut = len(found) == BEFORE_MAX and found[-1].sequence < message.sequence
    if cut:
        found = await read_range(connection, CONVERSATIONS, filters, after=message.sequence - 1, limit=AFTER_MAX)
    return [log_event(stored) for stored in found], cut


async def _stored_state(states: Records, conversation: Conversation) -> State | None:
    value = (await states.read(session_key(conversation.path.org, conversation.session))).value
    if value is None:
        return None
    try:
        return validate(StateRecord, decode(value), what="state record").to_state()
    except BackboneError:
        return None  # a newer worker's


async def _is_whole(connection: Connection, rules: Rules) -> bool:
    """Whether the log still holds the session's beginning, as far as that can be known."""
    oldest = await read_range(connection, CONVERSATIONS, (">",), limit=1)
    if not oldest or oldest[0].sequence == 1:
        return True
    return rules.known_since_ms is not None and rules.known_since_ms >= oldest[0].stored_at_ms


def _remarks(folded: list[Folded], stored: State | None, *, lost: str | None) -> list[str]:
    found = [] if lost is None else [f"{lost}: what was before is taken from {INSTEAD}"]
    if folded and stored is not None and folded[-1].after.last_sequence == stored.last_sequence:
        now = folded[-1].after
        if (now.link and now.link.epoch, now.held) != (stored.link and stored.link.epoch, stored.held):
            found.append("the replay does not come to the state that the linker keeps: the rules were others then")
    return found


def _org_of(event: LogEvent) -> OrgId | None:
    try:
        return parse_conversation(event.subject).path.org
    except GrammarError:
        return None
