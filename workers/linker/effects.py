"""Carries out what the fold decided; every effect may be repeated, since its message id derives from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import structlog

from broker.codec import MSGPACK, decode, encode
from broker.domain import headers as names
from broker.domain.deliveries import default_feedback_action, owner_run, taker_headers, taker_run
from broker.domain.events import Linked, Unlinked
from broker.domain.incoming import Incoming, Visit, read_visit
from broker.domain.registrations import Registration
from broker.domain.session import (
    AnnounceEnded,
    AnnounceLinked,
    Arm,
    DeliverToOwner,
    DeliverToTaker,
    Disarm,
    Effect,
    SetAside,
)
from broker.domain.subjects import Conversation, DeliverySubject, Kind
from broker.domain.wire import Body, dump
from broker.errors import BodyError
from broker.runtime.backbone import Backbone
from broker.runtime.deadletters import Original
from broker.transport.leader import read_kept
from broker.transport.publisher import Outgoing, Stored, all_stored
from broker.transport.topology import CONVERSATIONS
from workers.linker.directory import Directory

Ack = asyncio.Future[Stored]
TRACEPARENT_CHARACTERS_MAX = 128
"""Well over the 55 of the standard; a longer one could make a run that the bus refuses."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

log = structlog.get_logger()


class Decided(NamedTuple):
    """One event, and what follows from it."""

    incoming: Incoming
    original: Original
    effects: Sequence[Effect]


@dataclass(slots=True)
class _Plan:
    """What is to be published, in order, and then what nobody takes; timers have no order.

    ``used_up`` names registrations of one time, by the place of their run.
    """

    runs_and_facts: list[Outgoing] = field(default_factory=list)
    timers: list[Ack] = field(default_factory=list)
    used_up: list[tuple[int, Registration, int]] = field(default_factory=list)
    set_aside: list[tuple[SetAside, Conversation, Original]] = field(default_factory=list)


class Effects:
    """The linker's hands: publishes, timers, dead letters and used-up registrations."""

    def __init__(self, backbone: Backbone, directory: Directory) -> None:
        self._connection = backbone.connection
        self._publisher = backbone.publisher
        self._timers = backbone.timers
        self._dead_letters = backbone.dead_letters
        self._directory = directory

    async def carry_out(self, decided: Iterable[Decided]) -> None:
        """Publish in the order of the events and their effects, and wait until all of it is stored."""
        plan = _Plan()
        for incoming, original, effects in decided:
            for effect in effects:
                await self._prepare(plan, effect, incoming, original)
        stored = await self._publisher.store_in_order(plan.runs_and_facts)
        await all_stored(plan.timers)
        for aside in plan.set_aside:  # a fact that tells why nobody takes a message is there before its dead letter
            await self._set_aside(*aside)
        for place, registration, sequence in plan.used_up:
            if stored[place].duplicate:  # before a crash somebody else was chosen for this event, and has the run
                await self._directory.give_back(registration, sequence=sequence)

    async def _prepare(self, plan: _Plan, effect: Effect, incoming: Incoming, original: Original) -> None:
        """Do what has no order, and note what has."""
        conversation = incoming.conversation
        match effect:
            case DeliverToOwner():
                plan.runs_and_facts += await self._to_owner(effect, conversation, original, incoming.visit)
            case DeliverToTaker():
                await self._to_taker(plan, effect, incoming, original)
            case AnnounceLinked():
                plan.runs_and_facts.append(await self._linked(effect, conversation, now_ms=original.stored_at_ms))
            case AnnounceEnded():
                plan.runs_and_facts.append(_ended(effect, conversation))
            case Arm() | Disarm():
                plan.timers.append(await self._timer(effect, conversation))
            case SetAside():
                plan.set_aside.append((effect, conversation, original))

    async def _timer(self, effect: Arm | Disarm, conversation: Conversation) -> Ack:
        if isinstance(effect, Disarm):
            return await self._timers.disarm(conversation, effect.timer)
        return await self._timers.arm(conversation, effect.timer, at_ms=effect.at_ms, epoch=effect.epoch)

    async def _to_owner(
        self, effect: DeliverToOwner, conversation: Conversation, original: Original, visit: Visit | None
    ) -> list[Outgoing]:
        """Deliver to the stub that a link or a profile names; a held message is read from the log again."""
        path = conversation.path
        if effect.sequence != original.sequence:
            found = await self._held(effect.sequence, conversation)
            if found is None:
                return []
            original, visit = found, _visit_of(found, conversation)
        assert visit is not None, "only what a visitor did is delivered to an owner"  # noqa: S101 - the fold's promise
        profile = self._directory.profile(path)
        profile_uuid = None if profile is None else profile.profile_uuid
        run = owner_run(path, visit.content, visit.payload, profile_uuid=profile_uuid)
        action = effect.feedback_action or default_feedback_action(path.channel)
        subject = DeliverySubject(path.org, effect.stub, action)
        return await self._run(subject, run, conversation, original, key=f"link-{effect.stub}")

    async def _to_taker(self, plan: _Plan, effect: DeliverToTaker, incoming: Incoming, original: Original) -> None:
        taker, registration, conversation = effect.taker, effect.taker.registration, incoming.conversation
        assert incoming.visit is not None, "only what a visitor did is offered"  # noqa: S101 - the fold's promise
        marked = not registration.keep and await self._directory.use_up(registration, sequence=original.sequence)
        run = taker_run(conversation.path.channel, taker, incoming.visit.payload)
        subject = DeliverySubject(registration.org, registration.stub, registration.action)
        more = taker_headers(taker, original.headers)
        if taker.mechanism == "evb" and names.REPLY in original.headers and names.REPLY not in more:
            log.warning("reply_ignored", session_id=conversation.log_id, sequence=original.sequence)
        runs = await self._run(subject, run, conversation, original, key=taker.run_key, more=more)
        if marked and runs:
            plan.used_up.append((len(plan.runs_and_facts), registration, original.sequence))
        plan.runs_and_facts += runs

    async def _run(
        self,
        subject: DeliverySubject,
        run: Body,
        conversation: Conversation,
        original: Original,
        *,
        key: str,
        more: Mapping[str, str] = NO_HEADERS,
    ) -> list[Outgoing]:
        """One run; ``key`` tells it from the other runs of its event.

        One that is too large concerns its own event alone, never the link that releases it.
        """
        headers = {
            names.MESSAGE_ID: f"{conversation.session}-{original.sequence}-{key}",
            names.CONTENT_TYPE: MSGPACK,
            names.CONVERSATION: conversation.prefix,
            names.EVENT: str(original.sequence),
            names.KIND: original.subject.rpartition(".")[2],
        }
        if more:
            headers |= more
        trace = original.headers.get(names.TRACEPARENT)
        if trace and len(trace) <= TRACEPARENT_CHARACTERS_MAX:
            headers[names.TRACEPARENT] = trace
        try:
            data = encode(run)
        except BodyError as error:
            await self._dead_letters.keep_failed(original, error)
            return []
        return [Outgoing(str(subject), data, headers)]

    async def _linked(self, effect: AnnounceLinked, conversation: Conversation, *, now_ms: int) -> Outgoing:
        link = effect.link
        await self._directory.sessions.keep(conversation.session, until_ms=link.expires_at_ms, now_ms=now_ms)
        fact = Linked(
            stub=str(link.stub),
            stubref=link.stub.ref,
            feedback_action=link.feedback_action or default_feedback_action(conversation.path.channel),
            epoch=link.epoch,
            timeout_hours=link.timeout_hours,
            expires_at_ms=link.expires_at_ms,
            clamped=effect.clamped or None,
            replaces=None if effect.replaces is None else str(effect.replaces),
        )
        if effect.clamped:
            log.warning("link_hours_clamped", session_id=conversation.log_id, hours=link.timeout_hours)
        log.info("link_set", session_id=conversation.log_id, stubref=str(link.stub), epoch=link.epoch)
        return _fact(Kind.LINKED, dump(fact), conversation, link.epoch)

    async def _set_aside(self, effect: SetAside, conversation: Conversation, original: Original) -> None:
        if effect.sequence != original.sequence:
            found = await self._held(effect.sequence, conversation)
            if found is None:
                return
            original = found
        await self._dead_letters.keep(original, code=effect.code, detail=effect.detail)

    async def _held(self, sequence: int, conversation: Conversation) -> Original | None:
        """A held event, from the log, which keeps it; None once its age limit has taken it."""
        found = await read_kept(self._connection, CONVERSATIONS, sequence)
        if found is None:
            log.error("held_event_missing", session_id=conversation.log_id, sequence=sequence)
            return None
        return Original(
            subject=found.public_subject,
            stream=CONVERSATIONS,
            sequence=found.sequence,
            data=found.data,
            headers=found.headers,
            stored_at_ms=found.stored_at_ms,
        )


def _visit_of(original: Original, conversation: Conversation) -> Visit:
    """A held event as it was when it was held; it validated then, so it does now."""
    return read_visit(conversation.path.channel, decode(original.data))


def _ended(effect: AnnounceEnded, conversation: Conversation) -> Outgoing:
    link = effect.link
    fact = Unlinked(
        stub=str(link.stub),
        stubref=link.stub.ref,
        epoch=link.epoch,
        expires_at_ms=link.expires_at_ms,
        reason=effect.reason,
    )
    kind = Kind.EXPIRED if effect.reason == "timeout" else Kind.CANCELLED
    event = "link_expired" if kind is Kind.EXPIRED else "link_cancelled"
    log.info(event, session_id=conversation.log_id, stubref=str(link.stub), epoch=link.epoch)
    return _fact(kind, dump(fact), conversation, link.epoch)


def _fact(kind: Kind, fact: Body, conversation: Conversation, epoch: int) -> Outgoing:
    # The session uuid in the id keeps other senders from guessing it and having a fact taken for a duplicate.
    headers = {names.MESSAGE_ID: f"{conversation.session}-{kind}-{epoch}", names.CONTENT_TYPE: MSGPACK}
    return Outgoing(conversation.subject(kind), encode(fact), headers)
