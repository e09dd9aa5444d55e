"""Publishes dead letters again: in order, once, and a letter goes only when its event is stored."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from broker.domain import headers as names
from broker.domain.grammar import parse_subject
from broker.domain.redriving import Candidate, in_order
from broker.domain.subjects import LINK_FACTS, ConversationSubject, DeliverySubject, WebhookSubject
from broker.errors import GrammarError, LinkerBehindError, NotRedrivableError
from broker.transport.connection import Connection
from broker.transport.letters import Letter, one_letter, remove_letter
from broker.transport.publisher import Publisher
from broker.transport.reader import read_one, read_range
from broker.transport.requests import public_subject
from broker.transport.topology import CONVERSATIONS, DELIVERIES, LINKER_REST_CONSUMER, WEBHOOK_STREAM, linker_consumer

CUT_MARK = "; body cut from "
"""What a letter's detail says when the original was too long to be kept whole."""
LINKER_WAIT_S = 10.0
POLL_S = 0.05
PAGE = 200
OWN_HEADERS = "Nats-"
"""The server's, and the event's old id: they belong to the first publishing."""

_PARTITION = re.compile(r"p\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one letter: stored as ``sequence`` of ``stream``."""

    letter: Letter
    stream: str
    sequence: int


def why_not(letter: Letter) -> str | None:
    """What keeps a letter from being published again, None if nothing does."""
    content = letter.content
    if content.stream not in (CONVERSATIONS, DELIVERIES, WEBHOOK_STREAM):
        return f"its original is no event and no run, but from {content.stream}"
    if CUT_MARK in content.detail:
        return "its body was too long to be kept whole"
    try:
        subject = parse_subject(public_subject(content.subject))
    except GrammarError:
        return "its subject is outside the grammar"
    if isinstance(subject, ConversationSubject) and subject.kind in LINK_FACTS:
        return "it says what the linker alone may say"
    if isinstance(subject, WebhookSubject) and subject.outcome != "taken":
        return "nobody works on a call that was not taken"
    return None


def candidate_of(letter: Letter) -> Candidate:
    """A letter as the order needs it, without its body."""
    content = letter.content
    caused_by = content.headers.get(names.EVENT, "")
    return Candidate(
        letter=letter.sequence,
        position=letter.first_sequence,
        session=None if content.stream == WEBHOOK_STREAM else letter.session,
        stub=_stub_of(content.subject) if content.stream == DELIVERIES else None,
        caused_by=int(caused_by) if caused_by.isascii() and caused_by.isdigit() else 0,
        is_webhook=content.stream == WEBHOOK_STREAM,
    )


class Redrive:
    """Publishes letters again, one after another; whatever stops it leaves the rest where it is."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection = connection
        self._publisher = publisher
        self._last_event: dict[str, int] = {}
        self._known: dict[str, dict[str, int]] = {}

    async def run(self, candidates: Iterable[Candidate]) -> AsyncIterator[Redriven]:
        """Redrive in order; a letter that is gone meanwhile is passed over.

        Raises:
            NotRedrivableError: a letter cannot be published again; those before it have been.
            LinkerBehindError: a run must stay behind an event that no linker takes.
            BusError: the bus does not take it now.
        """
        for candidate in in_order(candidates):
            letter = await one_letter(self._connection, candidate.letter)
            if letter is None:
                continue
            if problem := why_not(letter):
                raise NotRedrivableError(letter.sequence, problem)
            if candidate.stub is not None and candidate.session is not None:
                await self._wait_for_linker(candidate.session)
            redriven = await self._publish(letter)
            if candidate.stub is None and candidate.session is not None:
                self._last_event[candidate.session] = redriven.sequence
            await remove_letter(self._connection, letter.sequence)
            yield redriven

    async def _publish(self, letter: Letter) -> Redriven:
        content = letter.content
        subject = public_subject(content.subject)
        message_id = _id_of(letter)
        stored = await self._stored_before(letter, subject, message_id)
        if stored is None:
            headers = {name: value for name, value in content.headers.items() if not name.startswith(OWN_HEADERS)}
            headers |= {names.MESSAGE_ID: message_id, names.REDRIVEN: str(letter.first_sequence)}
            stored = (await self._publisher.store(subject, content.body, headers)).sequence
        return Redriven(letter, content.stream, stored)

    async def _stored_before(self, letter: Letter, subject: str, message_id: str) -> int | None:
        """Where it is, if a redrive ended between storing it and removing the letter.

        The stream's own memory of ids is short; so each subject is looked through once, behind the first original.
        """
        if subject not in self._known:
            self._known[subject] = {}
            patterns, after = (subject, f"p.*.{subject}"), letter.first_sequence
            while page := await read_range(self._connection, letter.content.stream, patterns, after=after, limit=PAGE):
                for message in page:
                    if names.REDRIVEN in message.headers:
                        self._known[subject][message.headers.get(names.MESSAGE_ID, "")] = message.sequence
                after = page[-1].sequence
        return self._known[subject].get(message_id)

    async def _wait_for_linker(self, session: str) -> None:
        """Let the session's last redriven event be routed first: what it causes belongs in front of the run."""
        sequence = self._last_event.pop(session, None)
        if sequence is None or (stored := await read_one(self._connection, CONVERSATIONS, sequence)) is None:
            return
        found = _PARTITION.match(stored.subject)
        consumer = LINKER_REST_CONSUMER if found is None else linker_consumer(int(found[1]))
        deadline_s = asyncio.get_running_loop().time() + LINKER_WAIT_S
        while True:
            info = await self._connection.ask(f"CONSUMER.INFO.{CONVERSATIONS}.{consumer}")
            if info["ack_floor"]["stream_seq"] >= sequence or not info["num_pending"] + info["num_ack_pending"]:
                return
            if asyncio.get_running_loop().time() > deadline_s:
                raise LinkerBehindError(sequence, waited_s=LINKER_WAIT_S)
            await asyncio.sleep(POLL_S)


def _id_of(letter: Letter) -> str:
    """The same each time the letter is redriven; the digest keeps others from guessing it and taking its place."""
    content = letter.content
    digest = hashlib.sha256(f"{content.subject} {content.stored_at_ms} {letter.kept_at_ms} ".encode() + content.body)
    return f"redrive-{letter.sequence}-{digest.hexdigest()[:24]}"


def _stub_of(subject: str) -> str:
    try:
        parsed = parse_subject(public_subject(subject))
    except GrammarError:
        return subject
    return f"{parsed.org}.{parsed.stub}" if isinstance(parsed, DeliverySubject) else subject
