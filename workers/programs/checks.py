"""Is a checked-out version a program? It compiles, it loads and names its service, and its tests pass.

These steps see nothing of the backbone's settings: a program's tests must not reach the bus that visitors are on. A
version's process sees the common settings and its own; what other workers are told, tokens among it, is not for it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import broker
from broker.domain.deployments import SHORT_CHARACTERS
from broker.domain.ids import service_name, versioned_name
from broker.errors import (
    BuildFailedError,
    InvalidNameError,
    NoProgramError,
    ProgramSyntaxError,
    TestsFailedError,
)
from broker.runtime.settings import PREFIX, Settings, child_environment
from workers.programs.commands import Finished, run

PROGRAM = "program.py"
TESTS = "tests"
COMMON = frozenset(PREFIX + field.upper() for field in Settings.model_fields)
WORKERS = frozenset(place.name for place in Path(__file__).resolve().parents[1].iterdir() if place.is_dir())
"""A program may be called like a worker; the worker's settings are not its own for that."""
REPOSITORY_PREFIXES = ("GIT_", "SSH_")
"""What may open the repository to this worker."""
NO_TESTS_STATUS = 5
"""Of unittest since Python 3.12."""
NOT_A_SERVICE_STATUS = 3
LOAD = f"""
import sys
sys.path.insert(0, "")
import program
from broker.kit.service import Service
found = getattr(program, "service", None)
if not isinstance(found, Service):
    sys.exit({NOT_A_SERVICE_STATUS})
with open(sys.argv[1], "w", encoding="utf-8") as told:
    told.write(found.name)
"""
"""What a program prints while it is loaded may be anything, so its name is written to a file."""


def program_environment(folder: Path, changes: Mapping[str, str], *, service: str | None = None) -> dict[str, str]:
    """What a version's process sees: the worker's own environment but for what concerns others, and the kit.

    ``service``: the program's name, whose settings it gets beside the common ones; None: it gets no settings at all.
    """
    kit = Path(broker.__file__).resolve().parents[1]
    inherited = {name: value for name, value in child_environment({}).items() if _is_for(name, service)}
    return {**inherited, "PYTHONPATH": f"{folder}:{kit}", "PYTHONUNBUFFERED": "1", **changes}


def _is_for(variable: str, service: str | None) -> bool:
    if variable.startswith(REPOSITORY_PREFIXES):
        return False
    if service is None or not variable.startswith(PREFIX):
        return not variable.startswith(PREFIX)
    own = service not in WORKERS and variable.startswith(f"{PREFIX}{service.upper()}_")
    return own or variable in COMMON


async def check_syntax(folder: Path, *, limit_s: float) -> None:
    """Compile every file.

    Raises:
        NoProgramError: there is no program at all.
        ProgramSyntaxError: one is no Python.
    """
    if not (folder / PROGRAM).is_file():
        raise NoProgramError(f"there is no {PROGRAM} at the root")
    done = await _python(folder, "-m", "compileall", "-q", ".", limit_s=limit_s)
    if not done.good:
        raise ProgramSyntaxError(output=done.told)


async def learn_name(folder: Path, *, limit_s: float) -> str:
    """Load the program, and tell what its service is called.

    Raises:
        NoProgramError: it has no service.
        BuildFailedError: it cannot be loaded, or its name leaves no room for the version.
    """
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "name"
        done = await _python(folder, "-c", LOAD, str(told), limit_s=limit_s)
        if done.status == NOT_A_SERVICE_STATUS:
            raise NoProgramError(f"{PROGRAM} has no service")
        if not done.good or not told.is_file():
            raise BuildFailedError(f"{PROGRAM} cannot be loaded", output=done.told)
        name = told.read_text(encoding="utf-8")
    try:
        versioned_name(service_name(name), "0" * SHORT_CHARACTERS)
    except InvalidNameError as error:
        raise BuildFailedError("the service's name is too long for a version: 50 characters at most") from error
    return name


async def run_tests(folder: Path, *, limit_s: float) -> str:
    """Run the version's tests, if it has a folder of them; what they said.

    Raises:
        TestsFailedError: one failed, or they took too long.
    """
    if not (folder / TESTS).is_dir():
        return "no folder 'tests': nothing to run"
    top = ("-t", ".") if (folder / TESTS / "__init__.py").is_file() else ()
    done = await _python(folder, "-m", "unittest", "discover", "-s", TESTS, *top, limit_s=limit_s)
    if done.status not in (0, NO_TESTS_STATUS):
        raise TestsFailedError(output=done.told)
    return done.told


async def _python(folder: Path, *arguments: str, limit_s: float) -> Finished:
    command = (sys.executable, *arguments)
    return await run(command, folder=folder, environment=program_environment(folder, {}), limit_s=limit_s)
