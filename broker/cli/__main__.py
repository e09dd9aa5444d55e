"""`python -m broker.cli` is `heimdall`."""

from __future__ import annotations

from broker.cli.main import run

run()
