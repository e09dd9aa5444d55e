"""Which versions run in this process: those that conversations need, and those that are being deployed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from broker.domain.deployments import Version
from broker.errors import TooManyVersionsError
from workers.programs.process import VersionProcess

STOP_WAIT_S = 7.0
"""How long versions may take to end; less than containers and tests wait for this worker."""

log = structlog.get_logger()


class Versions:
    """A process for each version that is wanted here."""

    def __init__(self, check_out: Callable[[str], Awaitable[Path]], *, versions_max: int) -> None:
        self._check_out = check_out
        self._versions_max = versions_max
        self._processes: dict[str, VersionProcess] = {}
        self._pinned: set[str] = set()
        self._wanted: Sequence[Version] = ()
        self._left_out: set[str] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self, version: Version, *, limit_s: float) -> None:
        """Have it run, whatever else is wanted, until release_all(); return when it takes work.

        Raises:
            TooManyVersionsError: there is no room for it.
            VersionNotReadyError: it does not take work within the limit.
        """
        if version.service not in self._processes and len(self._processes) >= self._versions_max:
            raise TooManyVersionsError(self._versions_max)
        self._pinned.add(version.service)
        await self._keep(version).wait_ready(limit_s)

    def release_all(self) -> None:
        """From here on versions run for as long as keep() wants them."""
        self._pinned.clear()
        self.keep(self._wanted)

    def keep(self, wanted: Sequence[Version]) -> None:
        """Start what is missing, the first ones first, and end what nobody wants."""
        self._wanted = wanted
        services = [version.service for version in wanted]
        for service in set(self._processes) - set(services) - self._pinned:
            self._end(self._processes.pop(service))
        left_out: set[str] = set()
        for version in wanted:
            if version.service in self._processes or len(self._processes) < self._versions_max:
                self._keep(version)
            else:
                left_out.add(version.service)
        for service in left_out - self._left_out:
            log.warning("version_left_out", service=service, versions_max=self._versions_max)
        self._left_out = left_out

    async def stop(self) -> None:
        """End them all, at once."""
        for process in self._processes.values():
            self._end(process)
        self._processes.clear()
        if self._ending:
            await asyncio.wait(self._ending)

    def _keep(self, version: Version) -> VersionProcess:
        if version.service not in self._processes:
            self._processes[version.service] = VersionProcess(version, self._check_out)
        return self._processes[version.service]

    def _end(self, process: VersionProcess) -> None:
        task = asyncio.create_task(process.stop(STOP_WAIT_S))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
