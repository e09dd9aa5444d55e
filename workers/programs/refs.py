"""Pure: which commit a branch, a tag or a hash means.

Source: specs/webim.md section 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.domain.deployments import RefKind
from broker.errors import AmbiguousCommitError, UnknownRefError

BRANCH_PREFIX = "refs/heads/"
TAG_PREFIX = "refs/tags/"
PEELED = "^{}"
"""Git's mark on the line that tells which commit an annotated tag is of."""

_HASH = re.compile(r"[0-9a-f]{7,40}|[0-9a-f]{64}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refs:
    """A repository's branches and tags, each with its commit."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference is, and the whole hash of its commit."""

    kind: RefKind
    commit: str


def parse_refs(listing: str) -> Refs:
    """Read what ``git ls-remote`` and ``git show-ref --dereference`` print: a hash and a name a line."""
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    for line in listing.splitlines():
        commit, _, name = line.replace("\t", " ").partition(" ")
        if name.startswith(BRANCH_PREFIX):
            branches[name.removeprefix(BRANCH_PREFIX)] = commit
        elif name.startswith(TAG_PREFIX):
            tags[name.removeprefix(TAG_PREFIX).removesuffix(PEELED)] = commit  # the peeled line comes second
    return Refs(branches, tags)


def named(ref: str, refs: Refs) -> Resolved | None:
    """The branch of exactly that name, else the tag; None if there is neither."""
    if (commit := refs.branches.get(ref)) is not None:
        return Resolved("branch", commit)
    if (commit := refs.tags.get(ref)) is not None:
        return Resolved("tag", commit)
    return None


def may_be_commit(ref: str) -> bool:
    """Whether it looks like a commit's hash, whole or begun."""
    return _HASH.fullmatch(ref) is not None


def begun_with(ref: str, commits: Sequence[str]) -> Resolved:
    """The one commit that begins with ``ref``.

    Raises:
        UnknownRefError, AmbiguousCommitError: there is none, or more than one.
    """
    if not commits:
        raise UnknownRefError(ref)
    if len(commits) > 1:
        raise AmbiguousCommitError(ref, found=len(commits))
    return Resolved("commit", commits[0])
