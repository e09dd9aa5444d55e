"""Deployments: a real git repository, the real worker, a version's real process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.conftest import poll
from tests.integration.programs.conftest import Programs, Project, Worker


async def test_check_6_a_tag_a_full_hash_and_a_short_one_resolve_and_answer(
    programs: Programs, project: Project, worker: Worker
) -> None:
    commit = project.commit("first")
    project.git("tag", "--annotate", "v1", "--message", "the first")
    later = project.commit("second")
    with worker():
        by_tag = await programs.deploy("v1")
        by_hash = await programs.deploy(commit)
        by_prefix = await programs.deploy(later[:7].upper())
        assert [(one.status, one.kind, one.commit) for one in (by_tag, by_hash, by_prefix)] == [
            ("succeeded", "tag", commit),
            ("succeeded", "commit", commit),
            ("succeeded", "commit", later),
        ], by_tag.log + by_hash.log + by_prefix.log
        assert (by_tag.service, by_prefix.service) == (f"shop-{commit[:12]}", f"shop-{later[:12]}")
        assert await programs.text_of(by_prefix.service) == "second"


async def test_check_7_a_name_that_the_repository_does_not_have_is_an_unknown_ref(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("first")
    with worker():
        found = await programs.deploy("no-such-branch")
        assert (found.status, found.error, found.service) == ("failed", "unknown_ref", None)
        assert "no-such-branch" in found.log


async def test_a_branch_wins_over_a_tag_and_a_tag_over_a_hash(
    programs: Programs, project: Project, worker: Worker
) -> None:
    tagged = project.commit("tagged")
    project.git("tag", "both")
    later = project.commit("later")
    project.git("branch", "both")
    project.git("tag", later[:7], tagged)
    with worker():
        branch, tag = await programs.deploy("both"), await programs.deploy(later[:7])
    assert (branch.kind, branch.commit) == ("branch", later)
    assert (tag.kind, tag.commit) == ("tag", tagged)


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        pytest.param({"program": "service = 1"}, "no_program", "service", id="nothing that is a service"),
        pytest.param({"other": "def broken(:"}, "syntax_error", "other.py", id="a file that does not compile"),
        pytest.param({"program": "import nowhere"}, "build_failed", "nowhere", id="a module that is missing"),
        pytest.param({"tests/test_no": "import unused_"}, "tests_failed", "unused_", id="tests that fail"),
        pytest.param(
            {"program": "from broker import Service\nservice = Service('shop')\n"},
            "not_ready",
            "was not ready",
            id="a program that serves nothing",
        ),
    ],
)
async def test_a_version_that_is_no_program_fails_with_its_code_and_says_why(
    programs: Programs, project: Project, worker: Worker, files: dict[str, str], error: str, said: str
) -> None:
    project.commit("first", **{"tests/test_program": "", **files})
    with worker(START_LIMIT_S="2"):
        found = await programs.deploy("master")
    assert (found.status, found.error) == ("failed", error), found.log
    assert said in found.log


async def test_a_failing_redeployment_leaves_the_last_good_version_running(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("good")
    with worker():
        good = await programs.deploy("master")
        project.commit("broken")
        bad = await programs.deploy("master")
        assert (bad.status, bad.error) == ("failed", "tests_failed")
        assert await programs.text_of(good.service) == "good"


async def test_another_org_has_no_project_here(programs: Programs, project: Project, worker: Worker) -> None:
    project.commit("first")
    with worker(ORG="00000000-0000-4000-8000-000000000001"):
        found = await programs.deploy("master")
    assert (found.status, found.error) == ("failed", "no_project")


@pytest.mark.parametrize("service", ["", "shop"])
async def test_without_a_repository_a_deployment_succeeds_and_the_owner_runs_the_program(
    programs: Programs, worker: Worker, service: str
) -> None:
    with worker(REPOSITORY="", SERVICE=service):
        found = await programs.deploy("master")
    assert (found.status, found.kind, found.commit) == ("succeeded", None, None)
    assert found.service == (service or None)
    assert "run by its owner" in found.log


async def test_a_repository_that_cannot_be_read_is_told_without_its_address(programs: Programs, worker: Worker) -> None:
    with worker(REPOSITORY="http://tester:planted-secret@127.0.0.1:9/project.git"):
        found = await programs.deploy("master")
    assert (found.status, found.error) == ("failed", "repository_unavailable")
    assert "unable to access" in found.log
    assert "planted-secret" not in found.log


async def test_a_build_whose_worker_is_killed_is_begun_anew_by_another(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    mark = tmp_path / "begun"
    once = f"mark = pathlib.Path({str(mark)!r})\nif not mark.exists():\n    mark.touch()\n    time.sleep(60)"
    commit = project.commit("first", **{"tests/test_slow": f"import pathlib, time\n{once}"})
    with worker() as first:
        asked = await programs.ask("master")
        await poll(mark.exists, within_s=20)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with worker():
        found = await programs.ended(asked)
        assert (found.status, found.commit, found.begun) == ("succeeded", commit, 2), found.log
        assert await programs.text_of(found.service) == "first"


async def test_a_build_that_ended_its_worker_three_times_has_failed(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("first")
    asked = await programs.ask("master", begun=3)
    with worker():
        found = await programs.ended(asked)
    assert (found.status, found.error) == ("failed", "build_abandoned")
    assert "begun 3 times" in found.log


async def test_a_folder_that_cannot_be_used_is_told_and_does_not_end_the_worker(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    project.commit("first")
    (tmp_path / "file").touch()
    with worker(FOLDER=str(tmp_path / "file")):
        await programs.follow("master")
        found = await programs.deploy("master")
        assert (found.status, found.error) == ("failed", "repository_unavailable")
        assert "File exists" in found.log or "Not a directory" in found.log


async def test_a_worker_that_stops_gives_its_build_back_at_once(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    mark = tmp_path / "begun"
    slow = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(60)"
    project.commit("first", **{"tests/test_slow": slow})
    with worker():
        asked = await programs.ask("master")
        await poll(mark.exists, within_s=20)
    found = await programs.read(asked)
    assert (found.status, found.begun) == ("pending", 0)


async def test_two_workers_make_one_version_ready_and_both_run_it(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    project.commit("first")
    with worker() as one, worker(FOLDER=str(tmp_path / "second")) as two:
        found = await programs.deploy("master")
        assert (found.status, found.begun) == ("succeeded", 1), found.log
        await poll(lambda: bool(children(one.pid)) and bool(children(two.pid)), within_s=20)
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        assert await programs.text_of(found.service, within_s=20) == "first"


async def test_an_active_version_runs_again_after_its_process_or_the_worker_ended(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("first")
    with worker() as running:
        found = await programs.deploy("master")
        for child in children(running.pid):
            os.kill(child, signal.SIGKILL)
        assert await programs.text_of(found.service, within_s=20) == "first"
    with worker():
        assert await programs.text_of(found.service, within_s=20) == "first"
        assert len(await programs.of_channel()) == 1


async def test_a_server_that_is_killed_in_the_middle_of_a_build_does_no_harm(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    mark = tmp_path / "begun"
    wait = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(3)"
    commit = project.commit("first", **{"tests/test_slow": wait})
    async with nats_server(tmp_path / "nats") as own, connect(own.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher:
            programs.move_to(own, connection, publisher)
            with worker():
                asked = await programs.ask("master")
                await poll(mark.exists, within_s=20)
                await own.kill()
                await own.start()
                found = await programs.ended(asked)
                assert (found.status, found.commit, found.begun) == ("succeeded", commit, 1), found.log
                assert await programs.text_of(found.service, within_s=20) == "first"


def children(pid: int) -> list[int]:
    """The processes that a worker has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]
