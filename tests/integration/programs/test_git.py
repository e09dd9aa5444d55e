"""What the operator tells git is heard."""

from __future__ import annotations

import pytest

from tests.integration.programs.conftest import Programs, Project, Worker


async def test_the_operators_own_configuration_of_git_counts(
    programs: Programs, project: Project, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = project.commit("first")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{project.folder}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "shop:")
    with worker(REPOSITORY="shop:"):
        found = await programs.deploy("master")
    assert (found.status, found.commit) == ("succeeded", commit), found.log
