"""What every worker's main does: settings, logs, the bus, health, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from broker.errors import BackboneError, SettingsError
from broker.runtime.backbone import Backbone, open_backbone
from broker.runtime.logs import configure_logging
from broker.runtime.metrics import serve_health
from broker.runtime.settings import Settings, load
from broker.runtime.signals import stop_on_signals

S = TypeVar("S", bound=Settings)

BAD_SETTINGS_STATUS = 2
COLLECT_AFTER = 20_000
"""Objects made and not yet gone; Python's own number is 700."""

log = structlog.get_logger()


def run_worker(
    name: str,
    model: type[S],
    work: Callable[[S, Backbone, asyncio.Event], Awaitable[None]],
    *,
    check: Callable[[S], object] | None = None,
) -> None:
    """Run one worker until a stop signal; the process ends with 0, 2 for bad settings, 1 for anything else.

    ``check`` looks at what the settings lead to, such as a file, before any network; it raises SettingsError.
    """
    try:
        settings = load(model, worker=name)
        if check is not None:
            check(settings)
    except SettingsError as error:
        print(f"{name}: {_told(error)}", file=sys.stderr)  # noqa: T201 - logging has no level yet
        sys.exit(BAD_SETTINGS_STATUS)
    configure_logging(settings.log_level)
    structlog.contextvars.bind_contextvars(worker=name)
    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(_run(name, settings, work))
    except BackboneError as error:
        log.error("worker_failed", error_code=error.code, error=str(error))
        sys.exit(1)


def _told(error: SettingsError) -> str:
    """One problem on the line, several below one another."""
    if len(error.problems) == 1:
        return str(error)
    return "\n  ".join(("settings cannot be used:", *error.problems))


def event_loop() -> asyncio.AbstractEventLoop:
    """The fast loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def spare_the_collector() -> None:
    """Have Python's cycle collector look less often, and never again at what the start has made.

    Each message makes a score of objects that are gone at its end, without cycles; with the usual settings the
    collector took two fifths of a busy linker's time (measured with 3.11).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


async def _run(name: str, settings: S, work: Callable[[S, Backbone, asyncio.Event], Awaitable[None]]) -> None:
    async with (
        stop_on_signals() as stop,
        open_backbone(settings, name=name) as backbone,
        serve_health(settings.health_port, lambda: backbone.ready, host=settings.health_host),
    ):
        spare_the_collector()
        log.info("worker_started", nats_url=backbone.connection.url)
        await work(settings, backbone, stop)
    log.info("worker_stopped")
