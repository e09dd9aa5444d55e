"""Versions of answering programs: which one a channel wants, and what became of making it ready.

Channels ask (a pending ``Deployment``, and a ``Follow`` where they want every later version too); the worker
``programs`` answers in the same records. What answers a channel now is its newest deployment that succeeded.
Source: specs/webim.md section 2.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import StringConstraints

from broker.domain.events import UUID, Label
from broker.domain.ids import ServiceName, versioned_name
from broker.domain.wire import Wire

DEPLOYMENT = "deployment"
FOLLOW = "follow"
VERSION = "version"
PROJECT = "project"
LOG_CHARACTERS_MAX = 32_768
ID_CHARACTERS = 12
SHORT_CHARACTERS = 12
"""Of a commit's hash: as git shortens it in large repositories."""

Status = Literal["pending", "running", "succeeded", "failed"]
RefKind = Literal["branch", "tag", "commit"]
Ref = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""What a version is asked for by: a branch, a tag or a commit; git has longer names than our labels are."""


class Deployment(Wire):
    """Value in bucket PROGRAMS, key ``<org>.deployment.<channel_id>.<id>``.

    ``ref`` is what was asked for, ``kind`` and ``commit`` what it is. ``service`` answers the sessions of this version;
    None: the program is run by its owner, and the ordinary routes lead to it. ``error`` is a code, ``log`` for people.
    ``beat_at_ms``: whoever works on it says so again and again; one that falls silent is begun anew by another, and
    ``begun`` counts how often.
    """

    id: Label
    org: UUID
    channel_id: Label
    ref: Ref
    status: Status = "pending"
    kind: RefKind | None = None
    commit: Label | None = None
    service: Label | None = None
    error: Label | None = None
    log: str = ""
    asked_at_ms: int
    ended_at_ms: int | None = None
    worker: Label | None = None
    beat_at_ms: int = 0
    begun: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come."""
        return self.status in ("pending", "running")


class Follow(Wire):
    """Value in bucket PROGRAMS, key ``<org>.follow.<channel_id>``: deploy whenever this reference moves."""

    org: UUID
    channel_id: Label
    ref: Ref


class Version(Wire):
    """Value in bucket PROGRAMS, key ``<org>.version.<service>``: a version that was made ready, until nothing needs it.

    ``name`` is its program's, without the version.
    """

    org: UUID
    name: Label
    commit: Label

    @property
    def service(self) -> ServiceName:
        """The service that answers, in this version alone."""
        return versioned_name(self.name, self.short)

    @property
    def short(self) -> str:
        """The beginning of the commit, as it stands in the service's name."""
        return self.commit[:SHORT_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a channel's deployments have got to.

    ``active`` answers new sessions, None: nothing does yet. ``newest`` is the one asked for last, ``is_open`` says that
    one of them has not ended.
    """

    active: Deployment | None
    newest: Deployment | None
    is_open: bool

    @property
    def status(self) -> Literal["deploying", "ready", "failed"]:
        """The channel's status: a later failure leaves it ready, with what answered before."""
        if self.active is not None:
            return "ready"
        return "deploying" if self.newest is None or self.is_open else "failed"


def standing_of(deployments: Iterable[Deployment]) -> Standing:
    """Judge all deployments of one channel, in any order."""
    found = sorted(deployments, key=lambda one: (one.asked_at_ms, one.id))
    succeeded = [one for one in found if one.status == "succeeded"]
    return Standing(
        succeeded[-1] if succeeded else None, found[-1] if found else None, any(one.is_open for one in found)
    )


def next_deployment_id(channel_id: str, newest: Deployment | None) -> str:
    """The id of the deployment after a channel's newest: the same for all who ask at once, so that one is made."""
    before = "" if newest is None else newest.id
    return "dp" + hashlib.sha256(f"{channel_id}.{before}".encode()).hexdigest()[:ID_CHARACTERS]


def deployment_key(org: str, channel_id: str, deployment_id: str) -> str:
    """Where a deployment is kept."""
    return f"{org}.{DEPLOYMENT}.{channel_id}.{deployment_id}"


def version_key(version: Version) -> str:
    """Where a version that was made ready is kept."""
    return f"{version.org}.{VERSION}.{version.service}"


def follow_key(org: str, channel_id: str) -> str:
    """Where it is kept that a channel follows its reference."""
    return f"{org}.{FOLLOW}.{channel_id}"


def project_key(org: str) -> str:
    """There while some worker makes the org's versions ready."""
    return f"{org}.{PROJECT}"
