"""What a program starts ends with it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import poll
from tests.integration.programs.conftest import PROGRAM, Programs, Project, Worker

STARTS_ANOTHER = PROGRAM.replace(
    'if __name__ == "__main__":',
    """if __name__ == "__main__":
    import pathlib
    import subprocess

    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path("{place}").write_text(str(child.pid))""",
)


async def test_a_process_that_a_version_started_ends_with_it(
    programs: Programs, project: Project, worker: Worker, tmp_path: Path
) -> None:
    place = tmp_path / "child"
    project.commit("first", program=STARTS_ANOTHER.replace("{place}", str(place)))
    with worker():
        found = await programs.deploy("master")
        assert found.status == "succeeded", found.log
        child = Path("/proc") / place.read_text(encoding="utf-8")
        assert child.is_dir()
    await poll(lambda: _is_gone(child))


def _is_gone(process: Path) -> bool:
    """Nobody may be there to reap it."""
    return not process.is_dir() or ") Z " in (process / "stat").read_text(encoding="utf-8")
