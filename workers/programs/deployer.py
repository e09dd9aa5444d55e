"""Works on deployments, one at a time: takes one, makes its version ready while saying that it does, tells the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable

import structlog

from broker.errors import BackboneError, BuildAbandonedError, BuildFailedError, BusError, ConflictError, DeploymentError
from broker.runtime.loop import where
from broker.runtime.retry import backoff_s
from workers.programs.build import MakeReady, begun_anew
from workers.programs.decisions import BEGUN_MAX, appended, takeable
from workers.programs.store import Held, ProgramStore

BEAT_S = 3.0
LOOK_S = 1.0
"""A deployment whose worker fell silent makes no change that would be heard of."""
GIVE_BACK_WAIT_S = 1.0
MS_PER_S = 1000

log = structlog.get_logger()


class Deployer:
    """``org`` None: takes deployments of every org. ``at_end`` is called when the end of one is stored."""

    def __init__(
        self, store: ProgramStore, make_ready: MakeReady, *, org: str | None, at_end: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._make_ready = make_ready
        self._org = org
        self._at_end = at_end
        self._worker = uuid.uuid4().hex[:12]
        self._changed = store.watch()

    async def run(self) -> None:
        """Take and make ready, until cancelled; what is being worked on then is given back."""
        while True:
            self._changed.clear()
            held = await self._take()
            if held is not None:
                await self._work(held)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):  # wait_for() of Python 3.11 may lose a cancellation
                    await self._changed.wait()

    async def _take(self) -> Held | None:
        now_s = asyncio.get_running_loop().time()
        found = self._store.deployments.values()
        for seen in takeable(found, org=self._org, projects=self._store.projects, now_s=now_s):
            try:
                held = await self._store.take(seen, worker=self._worker)
            except BusError as error:
                log.warning("deployment_not_taken", error_code=error.code)
                return None
            if held is not None:
                return held
        return None

    async def _work(self, held: Held) -> None:
        log.info("deployment_begun", **_facts(held), attempt=held.deployment.begun)
        making = asyncio.create_task(self._make(held))
        beating = asyncio.create_task(_beat(held))
        try:
            await asyncio.wait({making, beating}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                log.warning("deployment_lost", **_facts(held))  # it was removed, or another worker is at it
        except asyncio.CancelledError:
            await _cancelled(making, beating)
            await _give_back(held)
            raise
        finally:
            await _cancelled(making, beating)

    async def _make(self, held: Held) -> None:
        begun_s = time.perf_counter()
        try:
            await self._build_or_fail(held)
            revision = await _saved(held)
            await self._store.wait_for(revision)
        finally:
            self._at_end()
        took_ms = round((time.perf_counter() - begun_s) * MS_PER_S)
        one = held.deployment
        if one.status == "succeeded":
            log.info("deployment_succeeded", **_facts(held), service=one.service, duration_ms=took_ms)
        elif one.status == "failed":
            log.warning("deployment_failed", **_facts(held), error_code=one.error, duration_ms=took_ms)

    async def _build_or_fail(self, held: Held) -> None:
        held.deployment = begun_anew(held.deployment)
        try:
            await self._make_ready_or_give_up(held)
        except DeploymentError as error:
            held.change(status="failed", error=error.code, service=None)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not leave the channel waiting for ever
            if isinstance(error, BackboneError) and error.retryable:
                log.warning("deployment_deferred", **_facts(held), error_code=error.code)
                held.change(status="pending", begun=held.deployment.begun - 1)
                return
            log.error("deployment_broken", error_type=type(error).__name__, where=where(error))
            told = appended(held.deployment.log, f"failed: a fault of the worker, {type(error).__name__}")
            held.change(status="failed", error=BuildFailedError.code, service=None, log=told)
        else:
            held.change(status="succeeded")
        held.change(ended_at_ms=_now_ms())

    async def _make_ready_or_give_up(self, held: Held) -> None:
        if held.deployment.begun > BEGUN_MAX:
            error = BuildAbandonedError(BEGUN_MAX)
            held.change(log=f"failed, {error.code}: {error}\n")
            raise error
        await self._make_ready(held)


async def _beat(held: Held) -> None:
    """Say that it is being worked on; ends when somebody else has it."""
    while True:
        await asyncio.sleep(BEAT_S)
        held.change(beat_at_ms=_now_ms())
        try:
            await held.save()
        except ConflictError:
            return
        except BusError as error:
            log.info("deployment_beat_missed", error_code=error.code)


async def _saved(held: Held) -> int:
    """Keep how it ended, however long the bus is away; the revision.

    Raises:
        ConflictError: somebody else has it.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return await held.save()
        except ConflictError:
            raise
        except BusError as error:
            log.warning("deployment_not_saved", error_code=error.code, attempt=attempt)
            await asyncio.sleep(backoff_s(attempt))


async def _give_back(held: Held) -> None:
    """The worker stops in good order: another one may begin at once, and nothing was the deployment's fault."""
    if held.deployment.is_open:
        held.change(status="pending", begun=held.deployment.begun - 1)
    with contextlib.suppress(BackboneError, TimeoutError):
        async with asyncio.timeout(GIVE_BACK_WAIT_S):
            await held.save()


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, ConflictError):
            log.info("deployment_taken_over")
        elif isinstance(result, Exception):
            raise result


def _facts(held: Held) -> dict[str, str]:
    one = held.deployment
    return {"deployment_id": one.id, "channel_id": one.channel_id, "ref": one.ref}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
