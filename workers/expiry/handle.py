"""Read the link, decide what the firing means, act: nothing, arm again, or tell the log."""

from __future__ import annotations

import asyncio

import structlog

from broker.codec import MSGPACK, decode, encode
from broker.domain import headers as names
from broker.domain.events import Timeout
from broker.domain.expiry import ArmAgain, Due, NothingLeft, look
from broker.domain.grammar import parse_subject
from broker.domain.session import State
from broker.domain.stubsessions import StateRecord, session_key
from broker.domain.subjects import Conversation, Kind, TimerSubject
from broker.domain.wire import dump, validate
from broker.errors import ConflictError, InvalidSubjectError
from broker.runtime.deadletters import Original
from broker.transport.publisher import Publisher
from broker.transport.pull import Delivery
from broker.transport.records import Records
from broker.transport.timers import Timers

SCHEDULER = "Nats-Scheduler"
SECOND_LOOK_S = 1.0
"""A firing may wipe the schedule of a link whose record is only just being written, see nats-notes.md section 2.3."""

log = structlog.get_logger()


class LookAtLink:
    """Handles one firing; the same firing again tells the log nothing new."""

    def __init__(self, records: Records, publisher: Publisher, timers: Timers) -> None:
        self._records = records
        self._publisher = publisher
        self._timers = timers

    async def __call__(self, original: Original) -> None:
        """Handle one firing.

        Raises:
            BackboneError: it is not a firing of ours (``retryable`` false), or the bus is away.
        """
        fired = _timer_in(original)
        match await self._look_twice(fired, original.stored_at_ms):
            case NothingLeft():
                log.debug("timer_found_nothing", session_id=fired.conversation.log_id, timer=fired.kind)
            case ArmAgain(epoch, at_ms):
                await self._arm_again(fired, at_ms, epoch)
            case Due() as due:
                await self._tell(fired, due, original)

    async def _look_twice(self, fired: TimerSubject, fired_at_ms: int) -> NothingLeft | ArmAgain | Due:
        """Look; where nothing is left, once more a little later."""
        found = look(await self._state(fired.conversation), fired.kind, fired_at_ms=fired_at_ms)
        if isinstance(found, NothingLeft):
            await asyncio.sleep(SECOND_LOOK_S)
            found = look(await self._state(fired.conversation), fired.kind, fired_at_ms=fired_at_ms)
        return found

    async def _state(self, conversation: Conversation) -> State | None:
        found = await self._records.read(session_key(conversation.path.org, conversation.session))
        if found.value is None:
            return None
        return validate(StateRecord, decode(found.value), what="state record").to_state()

    async def _arm_again(self, fired: TimerSubject, at_ms: int, epoch: int) -> None:
        try:
            await self._timers.arm_again(fired.conversation, fired.kind, at_ms=at_ms, epoch=epoch)
        except ConflictError:
            # The linker has set one since we looked, perhaps for an earlier moment than we know of.
            log.debug("timer_armed_elsewhere", session_id=fired.conversation.log_id, timer=fired.kind)
        else:
            log.debug("timer_armed_again", session_id=fired.conversation.log_id, timer=fired.kind)

    async def _tell(self, fired: TimerSubject, due: Due, original: Original) -> None:
        body = Timeout(timer=fired.kind, epoch=due.epoch, deadline_at_ms=due.deadline_at_ms)
        headers = {
            names.MESSAGE_ID: f"{fired.conversation.session}-timeout-{original.sequence}",
            names.CONTENT_TYPE: MSGPACK,
        }
        await self._publisher.store(fired.conversation.subject(Kind.TIMEOUT), encode(dump(body)), headers)
        late_ms = original.stored_at_ms - due.deadline_at_ms
        log.info("timeout_told", session_id=fired.conversation.log_id, timer=fired.kind, late_ms=late_ms)


def _timer_in(original: Original) -> TimerSubject:
    """The timer that fired; the server names it in a header."""
    name = original.headers.get(SCHEDULER, "")
    subject = parse_subject(name)
    if not isinstance(subject, TimerSubject):
        raise InvalidSubjectError(name, problem="expected the schedule of a conversation")
    return subject


def lane_of(delivery: Delivery) -> str:
    """A lane per timer: firings of one conversation are looked at one after another."""
    return delivery.headers.get(SCHEDULER, delivery.subject)
