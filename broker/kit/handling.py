"""One run, from the bus to its end: read, begun, bounded in time, its result told, its stub kept."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.deliveries import is_inbox
from broker.domain.events import Delivery as DeliveryBody
from broker.domain.grammar import parse_conversation_prefix, parse_subject
from broker.domain.ids import Stub
from broker.domain.subjects import Conversation, DeliverySubject
from broker.domain.wire import validate
from broker.errors import (
    ActionMissingError,
    BackboneError,
    BodyError,
    BusError,
    InvalidSubjectError,
    RunTimedOutError,
    StubClosedError,
    UnknownStubError,
)
from broker.kit.attempts import ATTEMPTS_MAX, Attempts
from broker.kit.bus import ServiceBus
from broker.kit.records import StubRecord
from broker.kit.run import Cause, Run
from broker.kit.service import Action, Service
from broker.runtime.deadletters import Original
from broker.runtime.retry import Retry, after_failure

RUN_LIMIT_S = 60.0
RUN_LIMIT_S_MAX = 86_400.0
ENDED_REMEMBERED_MAX = 50_000
"""Stubs whose last finished run is known without reading their record."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a run may take where it does not say so itself, and how often one that takes longer is tried."""

    limit_s: float = RUN_LIMIT_S
    attempts_max: int = ATTEMPTS_MAX


class HandleRun:
    """Runs one delivery: what it publishes first, the stub's record second, the acknowledgement last."""

    def __init__(self, service: Service, bus: ServiceBus, bounds: Bounds | None = None) -> None:
        self._service = service
        self._bus = bus
        self._bounds = bounds or Bounds()
        self.attempts = Attempts(bus, attempts_max=self._bounds.attempts_max)
        self._ended: OrderedDict[str, int] = OrderedDict()

    async def __call__(self, original: Original) -> None:
        """Handle one run.

        Raises:
            BackboneError: the run cannot be taken (``retryable`` false), or not now.
        """
        subject, cause = _read(original)
        try:
            await self._handle(subject.stub, cause, original)
        except Exception as error:
            if not isinstance(after_failure(error, original.attempts), Retry):
                await self._answer(subject.stub, cause, original, error=_told(error))
            raise

    async def set_aside(self, original: Original) -> None:
        """A run's dead letter is stored: note that it has ended.

        Behind a stub that stands still it may come again, and by then its letter may be redriven.
        """
        subject = _subject_of(original)
        stub = subject.stub
        try:
            conversation = _conversation_of(original, subject)
        except InvalidSubjectError:
            conversation = None
        record, revision = await self._load(stub, conversation, original)
        if record is not None and record.last_sequence < original.sequence:
            record = record.model_copy(update={"last_sequence": original.sequence})
            await self._bus.save(stub, record, revision=revision)
            self._remember(stub, original.sequence)

    async def _handle(self, stub: Stub, cause: Cause, original: Original) -> None:
        if original.sequence <= self._ended.get(stub.ref, 0):
            return
        record, revision = await self._load(stub, cause.conversation, original)
        if record is None:
            raise UnknownStubError(str(stub))
        if original.sequence <= record.last_sequence:
            log.debug("run_seen_before", stubref=str(stub), sequence=original.sequence)
            self._remember(stub, record.last_sequence)
            return
        function = self._function(stub, cause, record)
        async with self.attempts.begin(
            stub, cause.action, record, revision=revision, sequence=original.sequence
        ) as begun:
            run = Run(self._bus, stub, begun.record, cause)
            result = await self._within_limit(function, run, cause, _limit_s(original) or self._bounds.limit_s)
            kept = await run.finish()
            await self._answer(stub, cause, original, result=result)
            await self._bus.save(stub, kept, revision=begun.revision)
        self._remember(stub, original.sequence)
        log.info("run_finished", stubref=str(stub), action=cause.action, sequence=original.sequence)

    async def _load(
        self, stub: Stub, conversation: Conversation | None, original: Original
    ) -> tuple[StubRecord | None, int]:
        """The stub's record, and the revision that a save must name.

        One that is made on demand is first stored by the run's own save, so of two that make it one is refused.
        """
        record, revision = await self._bus.load(stub)
        if record is None and conversation is not None:
            record = self._service.demanded(stub.ref, conversation, at_ms=original.stored_at_ms)
        return record, revision

    def _remember(self, stub: Stub, sequence: int) -> None:
        """Behind a stub that stands still, all that others have done comes again at a take: it costs no look-up."""
        self._ended[stub.ref] = sequence
        self._ended.move_to_end(stub.ref)
        if len(self._ended) > ENDED_REMEMBERED_MAX:
            self._ended.popitem(last=False)

    def _function(self, stub: Stub, cause: Cause, record: StubRecord) -> Action:
        if record.closed:
            raise StubClosedError(str(stub))
        function = self._service.function(record.context, record.state, cause.action, cause.conversation)
        if function is None:
            raise ActionMissingError(cause.action, stub=str(stub), context=record.context, state=record.state)
        return function

    async def _within_limit(self, function: Action, run: Run, cause: Cause, limit_s: float) -> object:
        """What the action returns; a blocking one cannot be stopped from here, its lease ends instead."""
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await function(run)
        except TimeoutError as error:
            if not limit.expired():
                raise  # the action's own
            raise RunTimedOutError(
                cause.action, stub=str(run.stub), limit_s=limit_s, attempts_max=self._bounds.attempts_max
            ) from error

    async def _answer(self, stub: Stub, cause: Cause, original: Original, **outcome: object) -> None:
        """Tell the outcome where the run asks for it; in case of doubt twice, so that nobody waits in vain."""
        inbox = original.headers.get(names.REPLY)
        if inbox is None or not is_inbox(inbox):
            return
        who = {"stub": str(stub), "action": cause.action}
        with contextlib.suppress(BusError):
            try:
                await self._bus.answer(inbox, {**who, **outcome})
            except BodyError as error:
                await self._bus.answer(inbox, {**who, "error": _told(error)})


def _told(error: Exception) -> dict[str, str]:
    """An error as whoever waits for the result learns it: our own words, never a program's."""
    if isinstance(error, BackboneError):
        return {"code": error.code, "message": str(error)}
    return {"code": "worker_fault", "message": f"the action failed with {type(error).__name__}"}


def _limit_s(original: Original) -> float | None:
    """The run's own time limit, None if it names none that can be kept."""
    try:
        found = float(original.headers.get(names.TIME_LIMIT, "nan"))
    except ValueError:
        return None
    return min(found, RUN_LIMIT_S_MAX) if math.isfinite(found) and found > 0 else None


def _subject_of(original: Original) -> DeliverySubject:
    subject = parse_subject(original.subject)
    if not isinstance(subject, DeliverySubject):
        raise InvalidSubjectError(original.subject, problem="expected a run for a stub")
    return subject


def _conversation_of(original: Original, subject: DeliverySubject) -> Conversation | None:
    """The conversation that the run is about, None if it is about none."""
    prefix = original.headers.get(names.CONVERSATION)
    conversation = None if prefix is None else parse_conversation_prefix(prefix)
    if conversation is not None and conversation.path.org != subject.org:
        raise InvalidSubjectError(prefix or "", problem=f"a run of org {subject.org} cannot be about it")
    return conversation


def _read(original: Original) -> tuple[DeliverySubject, Cause]:
    """The run that a stored message asks for."""
    subject = _subject_of(original)
    post = validate(DeliveryBody, decode(original.data), what="run").stubpost
    conversation = _conversation_of(original, subject)
    # Ids begin with something that an outsider cannot guess, so nobody can have them taken for duplicates.
    secret = subject.stub.ref if conversation is None else conversation.session
    cause = Cause(
        id=f"{secret}-run-{original.sequence}",
        action=subject.action,
        sequence=original.sequence,
        at_ms=original.stored_at_ms,
        message=post.message,
        data=dict(post.data),
        conversation=conversation,
    )
    return subject, cause
