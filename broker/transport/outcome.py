"""What became of an event: the runs it caused, how far their consumers are, and dead letters; each search bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.decisions import Decision
from broker.domain.events import DeadLetter
from broker.domain.grammar import parse_subject
from broker.domain.ids import OrgId, Stub
from broker.domain.replay import LogEvent
from broker.domain.story import Handling, LetterFound, RunFound
from broker.domain.subjects import DEADLETTERS, STUBS, DeliverySubject
from broker.domain.wire import validate
from broker.errors import BackboneError, GrammarError, RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import (
    CONVERSATIONS,
    DEADLETTER_STREAM,
    DELIVERIES,
    LINKER_REST_CONSUMER,
    desk_consumers,
    service_consumers,
)

RUNS_READ_MAX = 2_000
"""Runs of the org, from the decision on; and again of each stub that should have got one."""
LETTERS_READ_MAX = 2_000
NOT_FOUND_STATUS = 404


@dataclass(frozen=True, slots=True)
class StubProgress:
    """What a stub's record says of its runs: the last one that is done, and one that was begun and is not."""

    last_sequence: int
    begun_sequence: int
    begun_count: int


ReadProgress = Callable[[OrgId, Stub], Awaitable[StubProgress | None]]
"""None where the stub's service keeps no such record."""


async def find_runs(
    connection: Connection, org: OrgId, event: LogEvent, decision: Decision, read_progress: ReadProgress
) -> tuple[tuple[RunFound, ...], tuple[str, ...]]:
    """The runs that the event caused, and those that a service on the kit made of them; and what was not searched."""
    since_ms = event.at_ms if decision.at_ms is None else decision.at_ms
    read = await _runs_of(connection, f"{STUBS}.org.{org}.>", since_ms)
    found = _caused(read, event.sequence)
    remarks: tuple[str, ...] = ()
    if len(read) == RUNS_READ_MAX:
        remarks = (f"the org's runs were searched for {RUNS_READ_MAX:,} runs from the decision on, no further",)
        for target in decision.targets:
            if not any(run.stub == target.stub for run, _ in found):
                stub = f"{STUBS}.org.{org}.service.{target.stub.service}.stubref.{target.stub.ref}.>"
                found += _caused(await _runs_of(connection, stub, since_ms), event.sequence)
    return tuple([await _completed(connection, org, run, message, read_progress) for run, message in found]), remarks


async def find_letters(
    connection: Connection, org: OrgId | None, event: LogEvent, runs: set[int]
) -> tuple[tuple[LetterFound, ...], tuple[str, ...]]:
    """The dead letters that hold the event or one of its runs, oldest first; and what was not searched."""
    pattern = f"{DEADLETTERS}.org.{org or '*'}.>"
    read = await read_range(connection, DEADLETTER_STREAM, (pattern,), limit=LETTERS_READ_MAX, since_ms=event.at_ms)
    begins = tuple(f"{stream}-{number}-" for stream, number in _originals(event, runs))
    found = [message for message in read if message.headers.get(names.MESSAGE_ID, "").startswith(begins)]
    remarks: tuple[str, ...] = ()
    if len(read) == LETTERS_READ_MAX:
        remarks = (f"dead letters were searched for {LETTERS_READ_MAX:,} letters from the event on, no further",)
    return tuple(letter for message in found if (letter := _letter(message)) is not None), remarks


async def linker_handling(connection: Connection, message: StoredMessage) -> Handling:
    """How far the linker is with an event."""
    partition = _partition(message)
    name = LINKER_REST_CONSUMER if partition is None else f"linker-{partition}"
    return await _handling(connection, CONVERSATIONS, name, message.sequence)


async def _runs_of(connection: Connection, pattern: str, since_ms: int) -> list[StoredMessage]:
    return await read_range(connection, DELIVERIES, (f"p.*.{pattern}",), limit=RUNS_READ_MAX, since_ms=since_ms)


def _caused(read: list[StoredMessage], sequence: int) -> list[tuple[RunFound, StoredMessage]]:
    """Those of the event, and those whose ids derive from one of these: one pass, as causes come first."""
    found: list[tuple[RunFound, StoredMessage]] = []
    made_by: dict[str, int] = {}
    for message in read:
        message_id = message.headers.get(names.MESSAGE_ID, "")
        via = made_by.get(message_id.rpartition("-")[0])
        if message.headers.get(names.EVENT) != str(sequence) and via is None:
            continue
        try:
            subject = parse_subject(message.public_subject)
        except GrammarError:
            continue
        if isinstance(subject, DeliverySubject):
            cause = f"{_secret(message, subject)}-run-{message.sequence}"
            made_by[cause] = message.sequence
            run = RunFound(
                message.sequence,
                message.stored_at_ms,
                subject.stub,
                subject.action,
                "unknown",
                via=via,
                again=message.headers.get(names.REDRIVEN),
                event_id=cause,
            )
            found.append((run, message))
    return found


async def _completed(
    connection: Connection, org: OrgId, run: RunFound, message: StoredMessage, read_progress: ReadProgress
) -> RunFound:
    """The run, with how far its service is."""
    partition = _partition(message) or 0
    handling: Handling = "unknown"
    for specs in (service_consumers(org, run.stub.service), desk_consumers(run.stub.service)):
        if handling == "unknown" and partition < len(specs):
            handling = await _handling(connection, DELIVERIES, specs[partition].name, run.sequence)
    kept = await read_progress(org, run.stub)
    if kept is None:
        return replace(run, handling=handling)
    begun = kept.begun_count if kept.begun_sequence == run.sequence else 0
    return replace(run, handling=handling, applied=kept.last_sequence >= run.sequence, begun=begun)


async def _handling(connection: Connection, stream: str, consumer: str, sequence: int) -> Handling:
    try:
        info: dict[str, Any] = await connection.ask(f"CONSUMER.INFO.{stream}.{consumer}")
    except RequestRefusedError as error:
        if error.status == NOT_FOUND_STATUS:
            return "unknown"
        raise
    if info["ack_floor"]["stream_seq"] >= sequence or (info["num_pending"] == 0 and info["num_ack_pending"] == 0):
        return "done"
    return "in_hand" if info["delivered"]["stream_seq"] >= sequence else "waiting"


def _secret(message: StoredMessage, subject: DeliverySubject) -> str:
    """What the kit's ids of a run begin with: the session, or the stub where no conversation is known."""
    prefix = message.headers.get(names.CONVERSATION)
    return subject.stub.ref if prefix is None else prefix.rpartition(".")[2]


def _originals(event: LogEvent, runs: set[int]) -> list[tuple[str, int]]:
    return [(CONVERSATIONS, event.sequence), *((DELIVERIES, number) for number in sorted(runs))]


def _letter(message: StoredMessage) -> LetterFound | None:
    try:
        letter = validate(DeadLetter, decode(message.data), what="dead letter")
    except BackboneError:
        return None
    return LetterFound(
        message.sequence,
        message.stored_at_ms,
        letter.stream,
        letter.sequence,
        letter.reason,
        letter.detail,
        letter.attempts,
    )


def _partition(message: StoredMessage) -> int | None:
    """The partition that the message is stored in, None where it has none."""
    tokens = message.subject.split(".", 2)
    return int(tokens[1]) if tokens[0] == "p" and tokens[1].isdecimal() else None
