"""Which deployment is next, what a moved reference asks for, which versions are wanted, what may be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.deployments import LOG_CHARACTERS_MAX, Deployment, Follow, Version
from workers.programs.decisions import (
    AGAIN_MS,
    FOREIGN_S,
    KEPT_DEPLOYMENTS,
    SILENT_S,
    appended,
    chosen_services,
    prunable,
    takeable,
    wanted_versions,
    wished,
)
from workers.programs.refs import Refs
from workers.programs.store import Seen

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
OTHER = "00000000-0000-4000-8000-000000000001"
A, B = "a" * 40, "b" * 40


def deployment(name: str = "dp1", **members: Any) -> Deployment:
    """One that was asked for at 1 and is pending, unless it says otherwise."""
    return Deployment.model_validate(
        {"id": name, "org": ORG, "channel_id": "ch1", "ref": "master", "asked_at_ms": 1, **members}
    )


@pytest.mark.parametrize(
    ("members", "quiet_s", "org", "projects", "expected"),
    [
        pytest.param({}, 0, ORG, {ORG}, True, id="a pending one at once"),
        pytest.param({"status": "running"}, SILENT_S - 1, ORG, {ORG}, False, id="one that somebody works on"),
        pytest.param({"status": "running"}, SILENT_S, ORG, {ORG}, True, id="one whose worker fell silent"),
        pytest.param({"status": "failed"}, 99, ORG, {ORG}, False, id="one that has ended"),
        pytest.param({"org": OTHER}, FOREIGN_S - 1, ORG, {ORG}, False, id="another org's, at first"),
        pytest.param({"org": OTHER}, FOREIGN_S, ORG, {ORG}, True, id="another org's that nobody answers"),
        pytest.param({"org": OTHER}, 99, ORG, {ORG, OTHER}, False, id="another org's that has a project"),
        pytest.param({"org": OTHER}, 0, None, {ORG}, True, id="any org's without a project"),
        pytest.param({}, 0, None, {ORG}, False, id="an org's with a project, by a worker without one"),
    ],
)
def test_what_may_be_begun_now(
    members: dict[str, str], quiet_s: float, org: str | None, projects: set[str], *, expected: bool
) -> None:
    seen = Seen(deployment(**members), revision=1, since_s=100.0)
    assert bool(takeable([seen], org=org, projects=projects, now_s=100.0 + quiet_s)) is expected


def test_who_asked_first_is_first() -> None:
    seen = [Seen(deployment(f"dp{at}", asked_at_ms=at), revision=1, since_s=0.0) for at in (3, 1, 2)]
    found = takeable(seen, org=ORG, projects=(), now_s=0.0)
    assert [one.deployment.id for one in found] == ["dp1", "dp2", "dp3"]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        pytest.param({"status": "succeeded", "commit": A}, True, id="it has moved"),
        pytest.param({"status": "succeeded", "commit": B}, False, id="it has not"),
        pytest.param({"status": "failed", "commit": B, "error": "tests_failed"}, False, id="that commit has failed"),
        pytest.param({"status": "failed", "commit": A, "error": "tests_failed"}, True, id="another commit has failed"),
        pytest.param({"status": "pending"}, False, id="one is on its way"),
        pytest.param({"status": "failed", "error": "unknown_ref"}, True, id="there was no such reference"),
        pytest.param(
            {"status": "failed", "error": "repository_unavailable", "ended_at_ms": 1_000},
            False,
            id="the repository was away just now",
        ),
        pytest.param(
            {"status": "failed", "error": "repository_unavailable", "ended_at_ms": 1_000 - AGAIN_MS},
            True,
            id="the repository was away a while ago",
        ),
    ],
)
def test_what_a_followed_branch_asks_for(newest: dict[str, Any], *, expected: bool) -> None:
    follow = Follow(org=ORG, channel_id="ch1", ref="master")
    found = wished(follow, [deployment(**newest)], Refs({"master": B}, {}), now_ms=1_000)
    assert (found is not None) is expected


def test_a_wished_deployment_has_the_same_id_for_all_who_see_the_move_and_comes_after_the_newest() -> None:
    follow = Follow(org=ORG, channel_id="ch1", ref="master")
    newest = deployment(status="succeeded", commit=A, asked_at_ms=5_000)
    one = wished(follow, [newest], Refs({"master": B}, {}), now_ms=1_000)
    other = wished(follow, [newest], Refs({"master": B}, {}), now_ms=2_000)
    assert one is not None
    assert one == other
    assert (one.asked_at_ms, one.status, one.commit) == (5_001, "pending", None)


def test_a_channel_that_was_never_deployed_or_follows_a_commit_asks_for_nothing() -> None:
    refs = Refs({"master": B}, {})
    assert wished(Follow(org=ORG, channel_id="ch1", ref="master"), [], refs, now_ms=0) is None
    by_hash = Follow(org=ORG, channel_id="ch1", ref=A)
    assert wished(by_hash, [deployment(status="failed", error="unknown_ref")], refs, now_ms=0) is None


def test_new_sessions_go_to_each_channel_s_last_success_the_newest_first() -> None:
    first = [deployment(status="succeeded", service="shop-1"), deployment("dp2", status="failed", asked_at_ms=9)]
    second = [deployment(status="succeeded", service="shop-2", asked_at_ms=5)]
    owner = [deployment(status="succeeded", service=None)]
    assert chosen_services([first, second, second, owner, []]) == ["shop-2", "shop-1"]


def test_wanted_is_what_new_sessions_need_and_then_what_old_ones_need() -> None:
    versions = {str(one.service): one for one in (Version(org=ORG, name="shop", commit=one * 40) for one in "abc")}
    found = wanted_versions(versions, ["shop-bbbbbbbbbbbb"], ["shop-aaaaaaaaaaaa", "shop-bbbbbbbbbbbb", "gone"])
    assert [one.commit[0] for one in found] == ["b", "a"]


def test_the_newest_deployments_the_active_one_and_open_ones_are_kept() -> None:
    active = deployment("active", status="succeeded", asked_at_ms=1)
    is_open = deployment("open", status="running", asked_at_ms=2)
    failed = [deployment(f"dp{at}", status="failed", asked_at_ms=at) for at in range(3, 3 + KEPT_DEPLOYMENTS + 2)]
    assert [one.id for one in prunable([*failed, active, is_open])] == ["dp4", "dp3"]
    assert prunable([active]) == []


def test_of_a_log_that_is_too_long_the_end_is_kept() -> None:
    assert appended("one\n", "two") == "one\ntwo\n"
    long = appended("x" * LOG_CHARACTERS_MAX, "the end")
    assert len(long) == LOG_CHARACTERS_MAX
    assert long.startswith("[the beginning is left out]")
    assert long.endswith("the end\n")
