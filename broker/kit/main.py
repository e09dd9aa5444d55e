"""Runs a service: its stubs' runs are consumed, in order per stub, until a stop signal."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

import structlog
from pydantic import Field

from broker.domain.ids import org_id, versioned_name
from broker.errors import BackboneError
from broker.kit.attempts import ATTEMPTS_MAX
from broker.kit.bus import ServiceBus
from broker.kit.handling import RUN_LIMIT_S, RUN_LIMIT_S_MAX, Bounds, HandleRun
from broker.kit.records import stubs_bucket
from broker.kit.service import Service
from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work, consume, token_after, where
from broker.runtime.main import run_worker
from broker.runtime.retry import backoff_s
from broker.runtime.settings import Settings
from broker.transport.ensure import ensure_bucket, ensure_consumers
from broker.transport.topology import DELIVERIES, service_consumers

DEMO_ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"

QUIET_ATTEMPTS_MAX = 6
"""Some six seconds."""

log = structlog.get_logger()


class ServiceSettings(Settings):
    """What a service reads beside the common settings; a program may add its own in a subclass."""

    org: str = Field(DEMO_ORG, description="Uuid of the org that the service works for.")
    run_limit_s: float = Field(
        RUN_LIMIT_S, gt=0, le=RUN_LIMIT_S_MAX, description="Seconds that a run may take, unless it says so itself."
    )
    run_attempts_max: int = Field(
        ATTEMPTS_MAX, ge=1, le=100, description="How often a run that does not finish is tried; then: dead letter."
    )
    version: str = Field(
        "", description="Version of the program: it answers as <service>-<version>, beside its other versions."
    )


P = TypeVar("P", bound=ServiceSettings)


def serve(service: Service, settings: type[ServiceSettings] = ServiceSettings) -> None:
    """Run the service as a process of its own; settings come from ``HEIMDALL_<SERVICE>_<FIELD>``."""

    async def work(found: ServiceSettings, backbone: Backbone, stop: asyncio.Event) -> None:
        await serve_until(service, found, backbone, stop)

    run_worker(service.name, settings, work)


async def serve_until(service: Service, settings: ServiceSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Consume the service's runs until ``stop`` is set.

    Raises:
        InvalidNameError: the name with its version cannot name a service.
    """
    org, name = org_id(settings.org), versioned_name(service.name, settings.version)
    await ensure_bucket(backbone.connection, stubs_bucket(name), replicas=settings.replicas)
    specs = service_consumers(org, name)
    await ensure_consumers(backbone.connection, DELIVERIES, specs)
    bus = ServiceBus(backbone.connection, backbone.publisher, org, name)
    taking = asyncio.Event()
    starting = asyncio.create_task(_start(service, bus, backbone, taking))
    handle = HandleRun(service, bus, Bounds(settings.run_limit_s, settings.run_attempts_max))
    runs = Work(
        DELIVERIES,
        tuple(spec.name for spec in specs),
        handle,
        token_after("stubref"),
        retaken=handle.attempts.retaken,
        lease_s=settings.lease_s,
        parks=True,
        set_aside=handle.set_aside,
    )
    try:
        await consume(backbone.connection, runs, backbone.dead_letters, stop, started=taking)
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting


async def _start(service: Service, bus: ServiceBus, backbone: Backbone, taking: asyncio.Event) -> None:
    """Run what runs at the start; the linker that answers its commands may itself still be starting.

    The service is ready when that is done and runs are taken: before, its chats and registrations may be missing.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            await service.start(bus)
        except BackboneError as error:
            if not error.retryable:
                log.error("service_not_started", error_code=error.code, error=str(error))
                return
            # The linker that answers may itself still be starting: that is no news, a longer silence is.
            (log.info if attempt <= QUIET_ATTEMPTS_MAX else log.warning)(
                "service_start_deferred", error_code=error.code, attempt=attempt
            )
            await asyncio.sleep(backoff_s(attempt))
        except Exception as error:  # noqa: BLE001 - the program's own code: it must not end unseen
            log.error("service_not_started", error_type=type(error).__name__, where=where(error))
            return
        else:
            log.info("service_started", service=bus.service, org=bus.org)
            await taking.wait()
            backbone.started.set()
            return
