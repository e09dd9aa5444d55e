"""The project's git repository: what it holds now, a copy of it here, and versions checked out, a folder each."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import BuildFailedError, RepositoryError, UnknownRefError
from broker.runtime.settings import child_environment
from workers.programs.commands import Finished, run
from workers.programs.refs import Refs, Resolved, begun_with, may_be_commit, named, parse_refs

REMOTE = "project"
LISTING_BYTES_MAX = 32 * 1024 * 1024
LOCK_POLL_S = 0.1
UNNEEDED_KEPT_S = 86_400
SHA256_CHARACTERS = 64
REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
KEPT_PREFIX = "refs/heimdall/"
"""References of our own, so that git never throws away a version that was checked out."""
CONFIG_COUNT = "GIT_CONFIG_COUNT"
GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
"""A hook that starts us, or our tests, sets these; they would lead git elsewhere."""


class Repository:
    """Any number of processes may share the folder: one at a time works on the copy."""

    def __init__(self, address: str, folder: Path, *, limit_s: float) -> None:
        self._address = str(Path(address).resolve()) if Path(address).exists() else address
        self._folder = folder.resolve()
        self._copy = self._folder / "repository.git"
        self._checkouts = self._folder / "checkouts"
        self._limit_s = limit_s

    async def refs(self) -> Refs:
        """Its branches and tags as they are now, without fetching anything.

        Raises:
            RepositoryError: it cannot be read.
        """
        # The address, which may hold a password, is no argument, so that no list of processes shows it.
        listed = await self._git("ls-remote", "--heads", "--tags", REMOTE, folder=self._folder)
        return parse_refs(self._checked(listed).output)

    async def fetch(self) -> Refs:
        """Bring the copy up to date, made if it is missing; its branches and tags.

        Raises:
            RepositoryError: the repository cannot be read.
        """
        refs = await self.refs()
        async with self._alone():
            await self._make_copy(refs)
            arguments = ("fetch", "--quiet", "--force", "--prune", "--no-write-fetch-head", REMOTE, *REFSPECS)
            self._checked(await self._git(*arguments))
        listed = await self._git("show-ref", "--heads", "--tags", "--dereference")
        return parse_refs(listed.output)  # a repository without any is no error

    async def resolve(self, ref: str, refs: Refs) -> Resolved:
        """What a reference is in the copy: exact branch, else exact tag, else the beginning of one commit.

        Raises:
            UnknownRefError, AmbiguousCommitError: nothing, or more than one commit.
        """
        if (found := named(ref, refs)) is not None:
            if found.commit not in await self._commits_of([found.commit]):
                raise UnknownRefError(ref)  # a tag may be of anything
            return found
        if not may_be_commit(ref):
            raise UnknownRefError(ref)
        listed = await self._git("rev-parse", f"--disambiguate={ref.lower()}")
        return begun_with(ref, await self._commits_of(listed.output.split()))

    async def check_out(self, commit: str) -> Path:
        """The folder with the files of a commit, given by its whole hash; made once.

        Raises:
            UnknownRefError: no such commit.
            RepositoryError, BuildFailedError: it cannot be read, or not be written here.
        """
        folder = self._checkouts / commit
        if folder.is_dir():
            os.utime(folder)  # it is young again, see tidy()
            return folder
        if not self._copy.is_dir() or not await self._commits_of([commit]):
            await self.fetch()
            if not await self._commits_of([commit]):
                raise UnknownRefError(commit)
        async with self._alone():
            if not folder.is_dir():
                await self._write_out(commit, folder)
        return folder

    async def tidy(self, needed: frozenset[str]) -> None:
        """Remove the folders of commits that nobody needs; a young one may belong to a deployment that goes on."""
        async with self._alone():
            for folder in self._checkouts.glob("*"):
                if folder.name not in needed and time.time() - folder.stat().st_mtime > UNNEEDED_KEPT_S:
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                    await self._git("update-ref", "-d", KEPT_PREFIX + folder.name)

    def clean(self, text: str) -> str:
        """The text without the repository's address and its password, and without this machine's paths."""
        said = text.replace(self._address, "<repository>")
        parts = urlsplit(self._address) if "://" in self._address else None
        for secret in (parts.netloc.rpartition("@")[0], parts.password or "") if parts is not None else ():
            said = said.replace(secret, "***") if secret else said
        return said.replace(str(self._folder), "")

    async def _write_out(self, commit: str, folder: Path) -> None:
        """Beside its place first: a folder with a commit's name is always whole."""
        self._checkouts.mkdir(parents=True, exist_ok=True)
        for rest in self._checkouts.glob("part-*"):  # of a process that was killed: we are alone
            shutil.rmtree(rest, ignore_errors=True)
        part = self._checkouts / f"part-{uuid.uuid4().hex}"
        part.mkdir()
        places = {"GIT_INDEX_FILE": str(part / ".git-index"), "GIT_WORK_TREE": str(part)}
        for arguments in (
            ("update-ref", KEPT_PREFIX + commit, commit),
            ("read-tree", commit),
            ("checkout-index", "--all", "--quiet"),
        ):
            done = await self._git(*arguments, more=places)
            if not done.good:
                raise BuildFailedError(f"git {arguments[0]} failed", output=self.clean(done.told))
        (part / ".git-index").unlink()
        part.rename(folder)

    async def _make_copy(self, refs: Refs) -> None:
        """An empty one, with hashes as long as the repository's; what a killed git left in it is no lock."""
        for stale in (*self._copy.glob("*.lock"), *self._copy.glob("refs/**/*.lock")):
            stale.unlink(missing_ok=True)
        if (self._copy / "HEAD").is_file():
            return
        hashes = next(iter((*refs.branches.values(), *refs.tags.values())), "")
        kind = "sha256" if len(hashes) == SHA256_CHARACTERS else "sha1"
        arguments = ("init", "--quiet", "--bare", f"--object-format={kind}", str(self._copy))
        self._checked(await self._git(*arguments, folder=self._folder))

    async def _commits_of(self, hashes: list[str]) -> list[str]:
        """Those of the objects that are commits."""
        given = "".join(f"{one}\n" for one in hashes).encode()
        listed = await self._git("cat-file", "--batch-check=%(objectname) %(objecttype)", given=given)
        return [line.split()[0] for line in listed.output.splitlines() if line.endswith(" commit")]

    async def _git(
        self, *arguments: str, folder: Path | None = None, more: dict[str, str] | None = None, given: bytes = b""
    ) -> Finished:
        inherited = child_environment({"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
        given_count = inherited.get(CONFIG_COUNT, "")
        number = int(given_count) if given_count.isdecimal() else 0  # behind what the operator gives git in this way
        environment = {
            **inherited,
            CONFIG_COUNT: str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"remote.{REMOTE}.url",
            f"GIT_CONFIG_VALUE_{number}": self._address,
        }
        kept = {
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"
        }  # it asks no questions, unless the operator wants it otherwise
        kept |= {name: value for name, value in environment.items() if name not in GIT_PLACES}
        if folder is None:
            kept["GIT_DIR"] = str(self._copy)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return await run(
                ("git", *arguments),
                folder=folder or self._copy,
                environment=kept | (more or {}),
                limit_s=self._limit_s,
                given=given,
                output_bytes_max=LISTING_BYTES_MAX,
            )
        except OSError as error:
            raise RepositoryError(output=f"git cannot be started, or not there: {error.strerror}") from error

    def _checked(self, finished: Finished) -> Finished:
        if not finished.good:
            raise RepositoryError(output=self.clean(finished.told))
        return finished

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No other process works on the folder in the block; a process that is killed gives it free."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "lock").open("w") as lock:
                await self._wait_for(lock.fileno())
                yield
        except OSError as error:
            problem = f"the folder for versions cannot be used: {error.strerror}"
            raise RepositoryError(output=problem) from error

    async def _wait_for(self, lock: int) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                # Another process holds it: there is no event to wait for.
                while not _locked(lock):  # noqa: ASYNC110
                    await asyncio.sleep(LOCK_POLL_S)
        except TimeoutError:
            raise RepositoryError(output="another worker was at work on the same folder all the time") from None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
