"""Pure: which deployment is next, what a moved reference asks for, which versions are wanted, what may be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from broker.domain.deployments import LOG_CHARACTERS_MAX, Deployment, Follow, Version, next_deployment_id, standing_of
from broker.errors import AmbiguousCommitError, UnknownRefError
from workers.programs.refs import Refs, named
from workers.programs.store import Seen

SILENT_S = 15.0
"""A deployment whose worker has said nothing for so long is begun anew."""
FOREIGN_S = 10.0
"""How long another org's deployment is left to a worker of its own, before this one says that there is none."""
BEGUN_MAX = 3
KEPT_DEPLOYMENTS = 20
CUT = "[the beginning is left out]\n"
AGAIN_MS = 60_000
"""After a failure that says nothing about a commit, the same reference is tried again so much later."""


def takeable(seen: Iterable[Seen], *, org: str | None, projects: Collection[str], now_s: float) -> list[Seen]:
    """The deployments that may be begun now, the one that was asked for first in front.

    Args:
        seen: all that are kept.
        org: whose project this worker has; None: it has none, and answers for all that have none.
        projects: the orgs that some worker has the project of.
        now_s: this process's clock.
    """
    found = [one for one in seen if _may_begin(one, now_s - one.since_s, org, projects)]
    return sorted(found, key=lambda one: (one.deployment.asked_at_ms, one.deployment.id))


def _may_begin(seen: Seen, quiet_s: float, org: str | None, projects: Collection[str]) -> bool:
    if not seen.deployment.is_open:
        return False
    wait_s = SILENT_S if seen.deployment.status == "running" else 0.0
    if seen.deployment.org != org:
        if seen.deployment.org in projects:
            return False
        wait_s = max(wait_s, 0.0 if org is None else FOREIGN_S)
    return quiet_s >= wait_s


def wished(follow: Follow, deployments: Iterable[Deployment], refs: Refs, *, now_ms: int) -> Deployment | None:
    """The deployment that a channel gets because its branch or tag has moved; None: it has not, or one is on its way.

    Its id follows from what went before, so of all who ask at once, the channel's adapter among them, one is heard.
    """
    found = named(follow.ref, refs)
    newest = standing_of(deployments).newest
    if found is None or newest is None or newest.is_open or newest.commit == found.commit:
        return None
    if newest.commit is None and not _is_worth_another(newest, now_ms):
        return None
    return Deployment(
        id=next_deployment_id(follow.channel_id, newest),
        org=follow.org,
        channel_id=follow.channel_id,
        ref=follow.ref,
        asked_at_ms=max(now_ms, newest.asked_at_ms + 1),
    )


def _is_worth_another(newest: Deployment, now_ms: int) -> bool:
    """What failed before its commit was known: at once if there was no such reference, else after a while."""
    if newest.error in (UnknownRefError.code, AmbiguousCommitError.code):
        return True
    return now_ms - (newest.ended_at_ms or newest.asked_at_ms) >= AGAIN_MS


def chosen_services(channels: Iterable[Sequence[Deployment]]) -> list[str]:
    """The services that answer new sessions, the newest first, and those that are being made ready to."""
    active = [found for found in (standing_of(one).active for one in channels) if found is not None]
    newest_first = sorted(active, key=lambda one: -one.asked_at_ms)
    return list(dict.fromkeys(one.service for one in newest_first if one.service is not None))


def wanted_versions(versions: Mapping[str, Version], chosen: Sequence[str], in_use: Iterable[str]) -> list[Version]:
    """What should run: first what answers new sessions, then what conversations still need."""
    services = dict.fromkeys([*chosen, *sorted(in_use)])
    return [versions[service] for service in services if service in versions]


def prunable(deployments: Iterable[Deployment]) -> list[Deployment]:
    """What may be forgotten of one channel: all but the newest, the one that answers, and those that have not ended."""
    found = sorted(deployments, key=lambda one: (one.asked_at_ms, one.id), reverse=True)
    active = standing_of(found).active
    return [one for one in found[KEPT_DEPLOYMENTS:] if not one.is_open and one != active]


def appended(log: str, line: str) -> str:
    """A log with a line more; of what is too long the end is kept."""
    text = f"{log}{line}\n"
    if len(text) <= LOG_CHARACTERS_MAX:
        return text
    return CUT + text[-(LOG_CHARACTERS_MAX - len(CUT)) :]
