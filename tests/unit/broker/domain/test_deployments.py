"""Deployments of a channel: which one answers, which status the channel has, and under which names a version runs."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.deployments import (
    Deployment,
    Version,
    deployment_key,
    follow_key,
    next_deployment_id,
    project_key,
    standing_of,
    version_key,
)
from broker.errors import InvalidNameError

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def deployment(at: int, status: str, **members: Any) -> Deployment:
    return Deployment.model_validate(
        {
            "id": f"dp{at}",
            "org": ORG,
            "channel_id": "ch1",
            "ref": "master",
            "asked_at_ms": at,
            "status": status,
            **members,
        }
    )


@pytest.mark.parametrize(
    ("statuses", "status", "active"),
    [
        pytest.param([], "deploying", None, id="nothing was asked for yet"),
        pytest.param(["pending"], "deploying", None, id="the first one waits"),
        pytest.param(["failed", "running"], "deploying", None, id="a second try"),
        pytest.param(["failed"], "failed", None, id="the first one failed"),
        pytest.param(["succeeded"], "ready", "dp0", id="the first one succeeded"),
        pytest.param(["succeeded", "failed"], "ready", "dp0", id="a later failure leaves what answered before"),
        pytest.param(["succeeded", "running"], "ready", "dp0", id="a later one is on its way"),
        pytest.param(["succeeded", "succeeded"], "ready", "dp1", id="the newest success answers"),
    ],
)
def test_a_channel_stands_where_its_deployments_have_got_to(
    statuses: list[str], status: str, active: str | None
) -> None:
    found = [deployment(at, one) for at, one in enumerate(statuses)]
    standing = standing_of(reversed(found))
    assert (standing.status, standing.active and standing.active.id) == (status, active)
    assert standing.newest == (found[-1] if found else None)
    assert standing.is_open is any(one in ("pending", "running") for one in statuses)


def test_a_version_answers_under_its_program_s_name_and_the_beginning_of_its_commit() -> None:
    version = Version(org=ORG, name="shop", commit=COMMIT)
    assert version.service == "shop-0123456789ab"
    with pytest.raises(InvalidNameError):
        _ = Version(org=ORG, name="s" * 51, commit=COMMIT).service


def test_the_next_id_follows_from_the_channel_and_its_newest_deployment() -> None:
    first = next_deployment_id("ch1", None)
    second = next_deployment_id("ch1", deployment(1, "succeeded", id=first))
    assert first == next_deployment_id("ch1", None)
    assert len({first, second, next_deployment_id("ch2", None)}) == 3
    assert first.startswith("dp")


def test_each_record_has_a_place_of_its_own() -> None:
    version = Version(org=ORG, name="shop", commit=COMMIT)
    assert deployment_key(ORG, "ch1", "dp1") == f"{ORG}.deployment.ch1.dp1"
    assert follow_key(ORG, "ch1") == f"{ORG}.follow.ch1"
    assert version_key(version) == f"{ORG}.version.shop-0123456789ab"
    assert project_key(ORG) == f"{ORG}.project"
