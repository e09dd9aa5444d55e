"""How the person at the terminal calls this program, so that a line we print works when it is pasted."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def typed_as(words: str) -> str:
    """``heimdall <words>``, in a form that works in another terminal in the same folder."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        name = f"{sys.executable} -m broker.cli"
    elif shutil.which("heimdall") == str(program.absolute()):
        name = "heimdall"
    else:
        name = str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)
    return f"{name} {words}"
