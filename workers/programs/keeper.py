"""Sees that the versions that conversations need run here, and that what nobody needs leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import math

import structlog

from broker.domain.deployments import Deployment, Version
from broker.errors import BackboneError
from workers.programs.decisions import chosen_services, prunable, wanted_versions
from workers.programs.repository import Repository
from workers.programs.store import ProgramStore
from workers.programs.use import Consumers, Use
from workers.programs.versions import Versions

RETIRED_AFTER_LOOKS = 3
"""So many looks' time without any use: by then every worker has ended its process of that version."""
SOON_S = 1.0
"""After a change of what is chosen: the replaced version's registrations end then."""

log = structlog.get_logger()


class Keeper:
    """For one org's project. A replaced version stays as long as it is in use, and one look longer."""

    def __init__(
        self, store: ProgramStore, versions: Versions, use: Use, repository: Repository, *, org: str, look_s: float
    ) -> None:
        self._store = store
        self._versions = versions
        self._use = use
        self._repository = repository
        self._org = org
        self._look_s = look_s
        self._changed = store.watch()
        self._chosen: list[str] = []
        self._used_s: dict[str, float] = {}
        self._unused_since_s: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled: at each change see what is chosen; at each look, and when that changed, what is in use."""
        look_at_s = 0.0
        while True:
            now_s = asyncio.get_running_loop().time()
            if now_s >= look_at_s:
                await self._look_and_retry()
                look_at_s = now_s + self._look_s
            self._changed.clear()
            if self._keep():
                look_at_s = min(look_at_s, now_s + SOON_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, look_at_s - now_s)):  # not wait_for(), as in deployer.py
                    await self._changed.wait()

    def _keep(self) -> bool:
        """Whether other versions are chosen than before."""
        now_s = asyncio.get_running_loop().time()
        before, self._chosen = self._chosen, chosen_services(self._channels())
        for service in {*before, *self._chosen}:
            self._used_s[service] = now_s
        in_use = [service for service, used_s in self._used_s.items() if now_s - used_s <= self._look_s]
        self._versions.keep(wanted_versions(self._own(), self._chosen, in_use))
        return before != self._chosen

    async def _look_and_retry(self) -> None:
        try:
            await self._look()
        except BackboneError as error:
            log.warning("versions_not_looked_at", error_code=error.code)
            for service in self._used_s:  # nobody knows: what runs goes on
                self._used_s[service] = asyncio.get_running_loop().time()

    async def _look(self) -> None:
        await self._store.announce_project(self._org)
        consumers = await self._use.consumers()
        replaced = [version for version in self._own().values() if not self._is_chosen(version)]
        for version in replaced:
            if await self._use.is_used(version, consumers):
                self._used_s[version.service] = asyncio.get_running_loop().time()
        if replaced and await self._deregistered(replaced):
            for version in replaced:
                await self._retire_if_unused(version, consumers)
        for deployments in self._channels():
            await self._store.forget_deployments(prunable(deployments))
        await self._repository.tidy(frozenset(version.commit for version in self._own().values()))

    async def _deregistered(self, replaced: list[Version]) -> bool:
        """Whether visitors whom nobody is linked to go to their successors, for all we know."""
        try:
            await self._use.deregister(self._org, frozenset(version.service for version in replaced))
        except BackboneError as error:  # without a linker nobody is routed anywhere
            log.info("versions_not_deregistered", error_code=error.code)
            return False
        return True

    async def _retire_if_unused(self, version: Version, consumers: Consumers) -> None:
        service, now_s = version.service, asyncio.get_running_loop().time()
        if now_s - self._used_s.get(service, -math.inf) <= self._look_s or self._is_chosen(version):
            self._unused_since_s.pop(service, None)
            return
        unused_s = now_s - self._unused_since_s.setdefault(service, now_s)
        if unused_s > RETIRED_AFTER_LOOKS * self._look_s and await self._use.retire(version, consumers):
            await self._store.forget_version(version)
            self._unused_since_s.pop(service, None)
            self._used_s.pop(service, None)
            log.info("version_retired", service=service)

    def _is_chosen(self, version: Version) -> bool:
        """Whether new sessions go to it, or a deployment is making it ready."""
        return version.service in chosen_services(self._channels()) or self._is_coming(version)

    def _is_coming(self, version: Version) -> bool:
        """Whether a deployment makes it ready right now."""
        return any(
            seen.deployment.is_open and seen.deployment.commit == version.commit
            for seen in self._store.deployments.values()
        )

    def _channels(self) -> list[list[Deployment]]:
        return [found for (org, _), found in self._store.of_channels().items() if org == self._org]

    def _own(self) -> dict[str, Version]:
        return {version.service: version for version in self._store.versions.values() if version.org == self._org}
