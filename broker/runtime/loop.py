"""The one worker loop: pull, hand to the lane, handle, acknowledge; a dead letter for what nobody can take."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars

from broker.errors import BackboneError, BusError
from broker.runtime.deadletters import DeadLetters, Original
from broker.runtime.metrics import RETRIED, SETTLED, TOOK
from broker.runtime.parking import parking_of
from broker.runtime.retry import Retry, after_failure
from broker.runtime.shares import Accept, Handling, Shares
from broker.transport.connection import Connection
from broker.transport.pull import Delivery
from broker.transport.topology import group_of
from broker.transport.window import Window

LEASE_S = 2
TOGETHER_MAX = 64
"""What is handled at once is repeated at once where its lane is taken over."""

log = structlog.get_logger()

Handle = Callable[[Original], Awaitable[None]]
HandleTogether = Callable[[Sequence[Original]], Awaitable[None]]
LaneOf = Callable[[Delivery], str]


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker consumes, and what it does with it.

    ``handle`` may be called again for the same original, so it must be idempotent. A retryable error of ours is
    retried in place, with the lane behind it waiting; any other error makes a dead letter. What ``skip`` holds for
    is acknowledged and nothing else. The consumers are shared out among all processes that work as the same
    ``group``; a lane never spans two consumers. ``retaken`` is called with a consumer's name whenever that one is
    taken (again): in between another process may have worked on its lanes, so what is remembered may be old.
    ``set_aside`` is told of an original once its dead letter is stored.
    ``parks``: what waits far back in a slow lane waits in the stream, so that the lane holds up no other one.
    ``together`` does at once, for several originals of one lane in their order, what ``handle`` would do one by one;
    where it fails, whatever it has done, each is handled by itself. ``at_once_max`` bounds the lanes that are worked
    on at a time, for handles that only ever wait for the bus: a backlog must not keep the process from its leases.
    """

    stream: str
    consumers: tuple[str, ...]
    handle: Handle
    lane_of: LaneOf
    skip: Callable[[Delivery], bool] | None = None
    retaken: Callable[[str], None] | None = None
    lease_s: int = LEASE_S
    parks: bool = False
    set_aside: Handle | None = None
    together: HandleTogether | None = None
    at_once_max: int | None = None

    @property
    def group(self) -> str:
        """The group, which the consumers' names begin with."""
        return group_of(self.consumers[0])


async def consume(
    connection: Connection,
    work: Work,
    dead_letters: DeadLetters,
    stop: asyncio.Event,
    *,
    started: asyncio.Event | None = None,
) -> None:
    """Work on this process's share of the consumers until ``stop`` is set; what has begun then is finished.

    ``started`` is set once the share is known and taken as far as it is free: from then on the worker is ready, be it
    that the others hold everything.

    Raises:
        RequestRefusedError: one of the consumers does not exist.
        PermissionRefusedError: this user may not consume there.
        BusError: the server ended the connection for good, so the process should end as well.
    """
    settler = Settler(work.stream, work.handle, dead_letters, set_aside=work.set_aside, together=work.together)
    handling = Handling(
        work.stream,
        settler.settle,
        work.lane_of,
        (lambda accept: accept) if work.skip is None else partial(_skipping, work.skip),
        work.retaken,
        parking_of(connection, work.stream) if work.parks else None,
        together_max=1 if work.together is None else TOGETHER_MAX,
        turns=None if work.at_once_max is None else Window(work.at_once_max),
    )
    shares = Shares(connection, work.group, work.consumers, handling, lease_s=work.lease_s)
    end_watch = connection.on_closed(stop.set)
    try:
        await shares.keep(stop, started)
        if connection.closed:
            raise BusError("the NATS server ended the connection for good")
    finally:
        end_watch()


def _skipping(skip: Callable[[Delivery], bool], accept: Accept) -> Accept:
    async def skip_or_accept(delivery: Delivery) -> None:
        if skip(delivery):
            with contextlib.suppress(BusError):  # it comes again, and is skipped again
                await delivery.ack()
        else:
            await accept(delivery)

    return skip_or_accept


def token_after(label: str) -> LaneOf:
    """A lane per value of one label of the subject; subjects without the label are a lane each."""
    mark = f".{label}."

    def lane_of(delivery: Delivery) -> str:
        return delivery.subject.partition(mark)[2].partition(".")[0] or delivery.subject

    return lane_of


@dataclass(frozen=True, slots=True)
class _Outcome:
    attempts: int
    failure: Exception | None = None
    stale: bool = False


class Settler:
    """Runs deliveries to their end: acknowledged, or kept as a dead letter and then terminated."""

    def __init__(
        self,
        stream: str,
        handle: Handle,
        dead_letters: DeadLetters,
        *,
        set_aside: Handle | None = None,
        together: HandleTogether | None = None,
    ) -> None:
        self._stream = stream
        self._handle = handle
        self._together = together
        self._dead_letters = dead_letters
        self._told_of_letter = set_aside
        self._acknowledged = SETTLED.labels(stream, "acknowledged")
        self._dead_lettered = SETTLED.labels(stream, "dead_lettered")
        self._left = SETTLED.labels(stream, "left")
        self._retried = RETRIED.labels(stream)
        self._took = TOOK.labels(stream)

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries of one lane, in their order. Never raises.

        A dead letter is stored before its original is given up, so a crash repeats it.
        """
        if len(deliveries) > 1 and self._together is not None and await self._settle_together(deliveries):
            return
        for delivery in deliveries:
            if delivery.stale:
                return  # it comes again, and so does what stands behind it
            await self._settle_one(delivery)

    async def _settle_together(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether all of them are done; if not, nothing is lost by handling each again."""
        assert self._together is not None  # noqa: S101 - asked by settle()
        bind_contextvars(stream=self._stream, sequence=deliveries[0].sequence)
        begun_s = time.perf_counter()
        try:
            await self._together([self._original(delivery, 1) for delivery in deliveries])
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each is handled by itself
            log.debug("deliveries_taken_apart", error_type=type(error).__name__, count=len(deliveries))
            return False
        for delivery in deliveries:
            with contextlib.suppress(BusError):  # it comes again, and is seen to be done
                await delivery.ack()
        self._acknowledged.inc(len(deliveries))
        self._took.observe(time.perf_counter() - begun_s)
        return True

    async def _settle_one(self, delivery: Delivery) -> None:
        # Each lane is a task with a context of its own, so nothing needs to be unbound.
        bind_contextvars(stream=self._stream, sequence=delivery.sequence)
        begun_s = time.perf_counter()
        handled = await self._repeat(delivery, self._handle)
        if handled.stale:
            return
        if handled.failure is not None:
            await self._set_aside(delivery, handled.failure, handled.attempts)
        else:
            with contextlib.suppress(BusError):  # it comes again, and is seen to be done
                await delivery.ack()
            self._acknowledged.inc()
        self._took.observe(time.perf_counter() - begun_s)

    async def _repeat(self, delivery: Delivery, step: Handle) -> _Outcome:
        """Run a step until it succeeds, or fails for good, or the delivery comes anew (to us or to another)."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await step(self._original(delivery, attempt))
            except Exception as error:  # noqa: BLE001 - the one catch-all: a poison message must not stop the worker
                verdict = after_failure(error, attempt)
                if not isinstance(verdict, Retry):
                    return _Outcome(attempt, failure=error)
                code = error.code if isinstance(error, BackboneError) else type(error).__name__
                log.warning("delivery_deferred", error_code=code, attempt=attempt, delay_s=verdict.wait_s)
                self._retried.inc()
                await asyncio.sleep(verdict.wait_s)
                if delivery.stale:
                    return _Outcome(attempt, stale=True)
            else:
                return _Outcome(attempt)

    async def _set_aside(self, delivery: Delivery, failure: Exception, attempts: int) -> None:
        if not isinstance(failure, BackboneError):
            log.error("handler_failed", error_type=type(failure).__name__, where=where(failure))
        original = self._original(delivery, attempts)
        kept = await self._repeat(delivery, lambda _: self._dead_letters.keep_failed(original, failure))
        if kept.stale:
            return
        if kept.failure is not None:  # unacknowledged, so it comes again after ack_wait: never lost, never silent
            log.error("dead_letter_failed", error_type=type(kept.failure).__name__, where=where(kept.failure))
            self._left.inc()
            return
        if self._told_of_letter is not None:
            with contextlib.suppress(BackboneError):
                await self._told_of_letter(original)
        with contextlib.suppress(BusError):  # the letter is kept, once, however often the original comes
            await delivery.terminate(failure.code if isinstance(failure, BackboneError) else "worker_fault")
        self._dead_lettered.inc()

    def _original(self, delivery: Delivery, attempt: int) -> Original:
        return Original(
            subject=delivery.public_subject,
            stream=self._stream,
            sequence=delivery.sequence,
            data=delivery.data,
            headers=delivery.headers,
            stored_at_ms=delivery.stored_at_ms,
            attempts=attempt,
        )


def where(error: BaseException) -> str:
    """File, line and function that raised: what a traceback tells without what a message may quote."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_qualname}"
