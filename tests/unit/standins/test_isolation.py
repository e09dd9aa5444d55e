"""A stand-in shares no code with the adapter, so that a shared mistake cannot hide."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

STANDINS = Path(__file__).parents[2] / "standins"
OURS = ("tests.standins", "tests.conftest")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", sorted(STANDINS.rglob("*.py")), ids=lambda path: str(path.relative_to(STANDINS)))
def test_a_stand_in_imports_nothing_of_the_backbone(path: Path) -> None:
    found = imports_of(path)
    assert {name for name in found if name.partition(".")[0] in {"broker", "workers"}} == set()
    assert {name for name in found if name.startswith("tests") and not name.startswith(OURS)} == set()
