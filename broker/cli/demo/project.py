"""The project of the demo: a git repository with the example program, as a customer's would be."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import broker
from broker.errors import NoProjectFolderError

BRANCH = "master"
EXAMPLE = Path(broker.__file__).parents[1] / "workers" / "demo" / "shop.py"
TEST = '''\
"""Run at every deployment: a version whose tests fail never answers anybody."""

import unittest

import program


class TestProgram(unittest.TestCase):
    def test_it_answers_as_the_shop(self) -> None:
        self.assertEqual(program.service.name, "shop")
'''
AUTHOR = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")


def make_project(folder: Path) -> Path:
    """The repository, made where it is not there yet: what a developer commits to it is kept.

    Raises:
        NoProjectFolderError: git is missing, or fails.
    """
    git = shutil.which("git")
    if git is None:
        raise NoProjectFolderError("there is no git on this machine: install it")
    if (folder / ".git").is_dir():
        return folder
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    (folder / "program.py").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "tests" / "test_program.py").write_text(TEST, encoding="utf-8")
    for arguments in (
        ("init", "--quiet", f"--initial-branch={BRANCH}"),
        ("add", "--all"),
        (*AUTHOR, "commit", "--quiet", "--message", "The shop's program"),
    ):
        _git(git, folder, arguments)
    return folder


def _git(git: str, folder: Path, arguments: tuple[str, ...]) -> None:
    # Neither the repository that this runs in nor what its owner has configured is any concern of the demo's.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**ours, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(  # noqa: S603 - git, with words of our own
        [git, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NoProjectFolderError(f"git {arguments[0]} says: {lines[-1]}")
