"""Looks again and again whether a branch or a tag has moved that a channel follows, and asks for a deployment then."""

from __future__ import annotations

import asyncio
import time

import structlog

from broker.domain.deployments import Deployment
from broker.errors import BackboneError
from workers.programs.decisions import wished
from workers.programs.repository import Repository
from workers.programs.store import ProgramStore

log = structlog.get_logger()


class Follower:
    """For the channels of one org; any number may look, what they ask for is one deployment."""

    def __init__(self, store: ProgramStore, repository: Repository, *, org: str, poll_s: float) -> None:
        self._store = store
        self._repository = repository
        self._org = org
        self._poll_s = poll_s
        self._problem: str | None = None

    async def run(self) -> None:
        """Look until cancelled; a repository that cannot be read, or a bus that is away, is tried again."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._look()
            except BackboneError as error:
                self._say(error.code)
            else:
                self._say(None)

    async def _look(self) -> None:
        follows = [one for one in self._store.follows.values() if one.org == self._org]
        if not follows:
            return
        refs = await self._repository.refs()
        deployments = self._store.of_channels()
        for follow in follows:
            found = deployments.get((follow.org, follow.channel_id), [])
            await self._ask(wished(follow, found, refs, now_ms=time.time_ns() // 1_000_000))

    async def _ask(self, deployment: Deployment | None) -> None:
        if deployment is not None and await self._store.create(deployment):
            log.info(
                "deployment_asked",
                deployment_id=deployment.id,
                channel_id=deployment.channel_id,
                ref=deployment.ref,
            )

    def _say(self, problem: str | None) -> None:
        """Once when it begins, once when it is over."""
        if problem == self._problem:
            return
        self._problem = problem
        if problem is None:
            log.info("repository_readable")
        else:
            log.warning("repository_not_followed", error_code=problem)
