"""Makes a version ready, step by step: fetched, resolved, checked out, compiled, loaded, tested, started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from broker.domain.deployments import Deployment, Version
from broker.errors import DeploymentError, NoProjectError
from workers.programs.checks import check_syntax, learn_name, run_tests
from workers.programs.decisions import appended
from workers.programs.repository import Repository
from workers.programs.settings import ProgramsSettings
from workers.programs.store import Held, ProgramStore
from workers.programs.versions import Versions

MakeReady = Callable[[Held], Awaitable[None]]


def leaving_to_owner(service: str) -> MakeReady:
    """Without a repository there is nothing to make: the program's owner runs it."""
    answers = f"service {service} answers" if service else "the ordinary routes lead to it"

    async def make_ready(held: Held) -> None:
        line = f"no repository is connected: the program is run by its owner, and {answers}"
        held.change(service=service or None, log=appended(held.deployment.log, line))

    return make_ready


class Build:
    """The steps for the one project of this worker."""

    def __init__(
        self, repository: Repository, store: ProgramStore, versions: Versions, settings: ProgramsSettings
    ) -> None:
        self._repository = repository
        self._store = store
        self._versions = versions
        self._settings = settings

    async def make_ready(self, held: Held) -> None:
        """Do all steps, each told in the deployment's log; its version then runs here.

        Raises:
            DeploymentError: why not; the log says so too.
        """
        try:
            await self._steps(held)
        except DeploymentError as error:
            self._tell(held, f"failed, {error.code}: {error}")
            if error.output:
                self._tell(held, error.output)
            raise

    async def _steps(self, held: Held) -> None:
        limits, deployment = self._settings, held.deployment
        if deployment.org != limits.org:
            raise NoProjectError(deployment.org)
        self._tell(held, "fetching the repository")
        refs = await self._repository.fetch()
        resolved = await self._repository.resolve(deployment.ref, refs)
        held.change(kind=resolved.kind, commit=resolved.commit)
        self._tell(held, f"{deployment.ref} is a {resolved.kind}: commit {resolved.commit}")
        folder = await self._repository.check_out(resolved.commit)
        self._tell(held, "compiling")
        await check_syntax(folder, limit_s=limits.check_limit_s)
        self._tell(held, "loading program.py")
        name = await learn_name(folder, limit_s=limits.check_limit_s)
        self._tell(held, f"running the tests of {name}")
        self._tell(held, await run_tests(folder, limit_s=limits.tests_limit_s))
        await self._start(held, Version(org=deployment.org, name=name, commit=resolved.commit))

    async def _start(self, held: Held, version: Version) -> None:
        self._tell(held, f"starting service {version.service}")
        await self._store.keep_version(version)
        await self._versions.start(version, limit_s=self._settings.start_limit_s)
        held.change(service=version.service)
        self._tell(held, "ready")

    def _tell(self, held: Held, line: str) -> None:
        held.change(log=appended(held.deployment.log, self._repository.clean(line)))


def begun_anew(deployment: Deployment) -> Deployment:
    """As it was asked for, whatever an earlier worker made of it."""
    return deployment.model_copy(update={"kind": None, "commit": None, "service": None, "log": ""})
