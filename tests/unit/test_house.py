"""The house rules that no linter knows: sizes, names, the top level, and pages that are generated."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import broker
from broker.contract.__main__ import COMMAND, PAGE
from broker.contract.markdown import render

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("broker", "workers")
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
FILE_BYTES_MAX = 2_000_000
"""Longer tracked files are pictures or the like: not searched for text."""

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "broker",
    "deploy",
    "pyproject.toml",
    "subjects.md",
    "tests",
    "workers",
}
BANNED_FILES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utilities", "utils"}
BANNED_IN_CLASSES = re.compile(r"Manager|Helper|Util|^Base|Base$|Impl$|^Abstract|^I[A-Z][a-z]+er$")

# In pieces, so that this file does not break its own rule.
REGISTRY_HOSTS = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "proxy.golang" + ".org"]
MACHINE_PATHS = ["/" + "work/", "/" + "root/", "/" + "opt/pypi", "/" + "tmp/w/"]


def tracked() -> list[Path]:
    """The project's files, as git knows them; without git, all that lie here."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(ROOT))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


TRACKED = tracked()
SOURCES = [path for path in TRACKED if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in SOURCE_FOLDERS]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def definitions(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 20


def test_no_source_file_is_longer_than_the_house_allows() -> None:
    scripts = [path for path in TRACKED if path.suffix in (".js", ".css") and "static" in path.parts]
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in [*SOURCES, *scripts]}
    assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_the_house_allows() -> None:
    lengths = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in definitions(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in lengths.items() if count > FUNCTION_LINES_MAX} == {}


def test_files_and_folders_name_their_idea() -> None:
    named = [path for path in TRACKED if path.relative_to(ROOT).parts[0] in (*SOURCE_FOLDERS, "tests")]
    stems = {name_of(path): {Path(part).stem.lower() for part in path.relative_to(ROOT).parts} for path in named}
    assert {name for name, parts in stems.items() if parts & BANNED_FILES} == set()


def test_classes_name_what_they_are() -> None:
    names = {
        f"{name_of(path)}:{node.name}"
        for path in SOURCES
        for node in definitions(path)
        if isinstance(node, ast.ClassDef) and BANNED_IN_CLASSES.search(node.name)
    }
    assert names == set()


def test_the_top_level_is_closed() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in TRACKED}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_the_public_list_is_sorted_and_each_name_is_there() -> None:
    assert list(broker.__all__) == sorted(set(broker.__all__))
    assert [name for name in broker.__all__ if not hasattr(broker, name)] == []


@pytest.mark.parametrize("texts", [pytest.param(REGISTRY_HOSTS, id="hosts"), pytest.param(MACHINE_PATHS, id="paths")])
def test_no_file_names_a_registry_or_a_place_on_one_machine(texts: list[str]) -> None:
    wanted = [text.encode() for text in texts]
    small = [path for path in TRACKED if path.stat().st_size <= FILE_BYTES_MAX]
    assert {name_of(path) for path in small if any(text in path.read_bytes() for text in wanted)} == set()


def test_subjects_md_is_what_the_generator_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), f"subjects.md is stale: run '{COMMAND}'"
