"""The README says what is: its settings, its program and its commands are those of the code."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from broker.cli.main import app
from broker.runtime.settings import Settings, Variable, variables
from workers.demo.__main__ import DemoSettings
from workers.expiry.__main__ import ExpirySettings
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.connections.file import read_connections
from workers.giosg.settings import GiosgSettings
from workers.linker.__main__ import LinkerSettings
from workers.programs.settings import ProgramsSettings
from workers.webchat.settings import WebchatSettings
from workers.webim.settings import WebimSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN: dict[str, type[Settings]] = {
    "linker": LinkerSettings,
    "expiry": ExpirySettings,
    "webchat": WebchatSettings,
    "webim": WebimSettings,
    "giosg": GiosgSettings,
    "programs": ProgramsSettings,
    "demo": DemoSettings,
}


def _row(variable: Variable, reader: str) -> str:
    default = f"`{variable.default}`" if variable.default else ""
    return f"| `{variable.name}` | {reader} | {default} | {variable.description} |"


def _rows() -> list[str]:
    shared = variables(Settings)
    names = {variable.name for variable in shared}
    rows = [_row(variable, "every worker") for variable in shared]
    for worker, model in OWN.items():
        rows += [_row(variable, worker) for variable in variables(model, worker=worker) if variable.name not in names]
    return rows


def test_every_worker_with_settings_is_known_here() -> None:
    workers = {path.parent.name for path in (ROOT / "workers").glob("*/__main__.py")}
    assert workers == set(OWN)


def test_the_table_of_settings_is_the_settings() -> None:
    found = [line for line in README.splitlines() if line.startswith("| `HEIMDALL_")]
    assert found == _rows()


@pytest.mark.parametrize("name", ["program.py", "shop.py", "reception.py"])
def test_the_programs_shown_are_those_of_the_demo(name: str) -> None:
    program = (ROOT / "workers" / "demo" / name).read_text(encoding="utf-8").rstrip()
    assert f"```python\n{program}\n```" in README
    assert sum(1 for line in program.splitlines() if line) <= 36


@pytest.mark.parametrize("command", sorted(getattr(get_command(app), "commands", {})))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"| `heimdall {command}" in README


def test_the_example_of_a_giosg_connection_is_one_and_every_key_is_explained(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert found is not None
    whole = tomllib.loads(textwrap.dedent(found[1]))
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-24-characters-or-more")
    whole["connections"]["support"]["webhook_secret"] = {"file": str(secret)}
    (connection,) = read_connections(whole, {"GIOSG_API_TOKEN": "a-token"}).all()
    unexplained = [key for key in GiosgConnection.model_fields if f"`{key}`" not in README]
    assert set(unexplained) <= connection.model_fields_set
