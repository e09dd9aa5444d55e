"""Writes the generated pages, or with ``--check`` says which of them is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from broker.contract.markdown import render

PAGE = Path(__file__).resolve().parents[2] / "subjects.md"
COMMAND = "python -m broker.contract"


def main(arguments: list[str], *, page: Path = PAGE) -> int:
    """Exit status: 0 if all is well, 1 if the page is stale, 2 for arguments that nobody knows."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"usage: {COMMAND} [--check]\n")
        return 2
    written = render()
    if not arguments:
        page.write_text(written, encoding="utf-8")
        return 0
    found = page.read_text(encoding="utf-8") if page.exists() else None
    if found == written:
        return 0
    state = "missing" if found is None else "stale"
    sys.stderr.write(f"{page.name} is {state}: run '{COMMAND}' and commit what it writes\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
