"""What the peers share: a link as one line in the linker's bucket, and what they are told on their command line."""

from __future__ import annotations

import sys
from typing import NamedTuple

from broker.domain.subjects import STUBS
from broker.transport.topology import STUBSESSIONS

BUCKET_PREFIX = f"$KV.{STUBSESSIONS}."
GET_PREFIX = f"$JS.API.DIRECT.GET.KV_{STUBSESSIONS}.{BUCKET_PREFIX}"


class Told(NamedTuple):
    """The command line: ``<url> <org> <consumer,consumer,...> [more]``."""

    url: str
    org: str
    consumers: tuple[str, ...]
    more: tuple[str, ...]

    @classmethod
    def read(cls) -> Told:
        """Of this process."""
        url, org, consumers, *more = sys.argv[1:]
        return cls(url, org, tuple(consumers.split(",")), tuple(more))


class Link(NamedTuple):
    """What a peer remembers of a session: where its messages go, and the last one that was applied."""

    target: str
    expires_at_ms: int
    last_sequence: int

    def dump(self) -> bytes:
        """As it is stored."""
        return f"{self.target} {self.expires_at_ms} {self.last_sequence}".encode()

    @classmethod
    def load(cls, data: bytes) -> Link:
        """As it was stored."""
        target, expires_at_ms, last_sequence = data.decode().split(" ")
        return cls(target, int(expires_at_ms), int(last_sequence))


def link_key(org: str, session: str) -> str:
    """Where a link is kept in the bucket."""
    return f"session.{org}.{session}"


def target(org: str, stub: str) -> str:
    """The subject of a linked stub's runs."""
    service, _, ref = stub.partition(".")
    return f"{STUBS}.org.{org}.service.{service}.stubref.{ref}.action._update_from_webchat"


def session_of(subject: str) -> str:
    """The session uuid in a stored subject of the log."""
    return subject.split(".", 12)[11]
