"""Reads the connections' file: TOML, one table per connection, secrets by reference; all problems at once.

Source: specs/giosg.md section 2.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from broker.errors import SettingsError, shorten
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.connections.secrets import HOW, Secrets

__all__ = ["Connections", "load_connections", "read_connections"]

SECRET_KEYS = ("api_token", "webhook_secret", "webhook_secret_previous", "app_secret")
FILE_BYTES_MAX = 1 << 20
Table = dict[str, Any]


def load_connections(path: Path | str, environment: Mapping[str, str]) -> Connections:
    """The connections of a file, their secrets fetched.

    Raises:
        SettingsError: every problem of every connection at once, by table and key; nothing was sent anywhere.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(
            (f"the file of giosg connections {str(path)!r} cannot be read: {error.strerror}",)
        ) from None
    if len(data) > FILE_BYTES_MAX:
        raise SettingsError((f"the file of giosg connections {str(path)!r} has more than {FILE_BYTES_MAX} bytes",))
    try:
        whole = tomllib.loads(data.decode())
    except ValueError as error:  # the base of TOML's errors and of UTF-8's
        raise SettingsError((f"the file of giosg connections {str(path)!r} is no TOML: {error}",)) from None
    return read_connections(whole, environment, folder=Path(path).parent)


def read_connections(whole: Table, environment: Mapping[str, str], *, folder: Path | None = None) -> Connections:
    """As load_connections(), of a file that was parsed; relative paths of secrets begin at ``folder``."""
    secrets = Secrets(environment, folder or Path())
    problems = [
        f"[{name}] is no table of this file: expected [connections.<name>] or [defaults]" for name in _odd(whole)
    ]
    defaults, tables = whole.get("defaults", {}), whole.get("connections", {})
    if not isinstance(defaults, dict) or not isinstance(tables, dict):
        raise SettingsError((*problems, "expected [defaults] and [connections.<name>] to be tables"))
    if not tables:
        problems.append("there is no [connections.<name>] table: each is one room of giosg")
    found: list[GiosgConnection] = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(f"connections.{name}: expected a table, [connections.{name}]")
            continue
        connection, told = _connection(name, defaults | table, secrets)
        problems += told
        if connection is not None:
            found.append(connection)
    problems += _doubled(found)
    if problems:
        raise SettingsError(tuple(problems))
    return Connections(found)


def _odd(whole: Table) -> list[str]:
    return [name for name in whole if name not in ("connections", "defaults")]


def _connection(name: str, table: Table, secrets: Secrets) -> tuple[GiosgConnection | None, list[str]]:
    place = f"connections.{name}"
    problems: list[str] = []
    values: Table = {key: value for key, value in table.items() if key != "name"} | {"name": name}
    if "name" in table:
        problems.append(f"{place}.name: the table's own name is the connection's: leave it out")
    unread: set[str] = set()
    for key in SECRET_KEYS:
        if key in values:
            secret = secrets.get(values[key])
            if isinstance(secret, str):
                problems.append(f"{place}.{key}: {secret}")
                unread.add(key)
                del values[key]
            else:
                values[key] = secret
    try:
        connection = GiosgConnection.model_validate(values)
    except ValidationError as error:
        told = error.errors(include_url=False)
        return None, problems + [_problem(place, one) for one in told if not _is_of(one, unread)]
    return (None if problems else connection), problems


def _is_of(problem: ErrorDetails, keys: set[str]) -> bool:
    return bool(problem["loc"]) and problem["loc"][0] in keys


def _problem(place: str, problem: ErrorDetails) -> str:
    """A sentence; the rules' own are whole, and pydantic's begin with ``Input should be``."""
    where = ".".join((place, *map(str, problem["loc"])))
    if problem["type"] == "missing":
        return f"{where} is missing" + (f": {HOW}" if problem["loc"][0] in SECRET_KEYS else "")
    if problem["type"] == "extra_forbidden":
        meant = get_close_matches(str(problem["loc"][-1]), GiosgConnection.model_fields, n=1)
        return f"{where} is no setting of a connection: " + (f"is {meant[0]} meant?" if meant else "leave it out")
    return f"{where}: {problem['msg'].replace('Input should be', 'expected')}{_found(problem)}"


def _found(problem: ErrorDetails) -> str:
    """What stands there, of a plain value that is no secret; the rules' own sentences say it where it helps."""
    given = problem["input"]
    if problem["type"] == "connection" or problem["loc"][0] in SECRET_KEYS:
        return ""
    return f", found {json.dumps(given)}" if isinstance(given, int | float) else _quoted(given)


def _quoted(given: object) -> str:
    return f", found {shorten(given)!r}" if isinstance(given, str) else ""


def _doubled(connections: Iterable[GiosgConnection]) -> list[str]:
    """Two connections to one room would both take each of its chats for theirs."""
    first: dict[tuple[str, str, str], str] = {}
    problems = []
    for one in connections:
        room = (one.base_url, one.organization_id, one.room_id)
        if (other := first.setdefault(room, one.name)) != one.name:
            problems.append(f"connections.{one.name}: connection {other} has the same organization and room already")
    return problems
