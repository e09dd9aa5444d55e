"""The options that several commands share, and where they come from when nobody gives them."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from broker.cli.dev_folder import running_nats_url
from broker.domain.ids import OrgId, org_id

DEMO_ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
DEFAULT_NATS_URL = "nats://127.0.0.1:4222"

_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

NatsUrl = Annotated[
    str | None,
    typer.Option(
        envvar="HEIMDALL_NATS_URL",
        help=f"The NATS server; else the one of a running 'heimdall dev' around here, else {DEFAULT_NATS_URL}.",
        show_default=False,
    ),
]
Org = Annotated[str, typer.Option(envvar="HEIMDALL_ORG", help="The org's uuid; the default is the demo org.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines, as in a pipe.")]


def nats_url_of(given: str | None) -> str:
    """The address to connect to: given, else of a `heimdall dev` in this folder or one above, else the default."""
    return given or running_nats_url() or DEFAULT_NATS_URL


def org_of(given: str) -> OrgId:
    """The org, checked; people may paste a uuid in upper case.

    Raises:
        InvalidNameError: it is no uuid.
    """
    return org_id(given.strip().lower())


def span_s(text: str) -> float | None:
    """``30s``, ``10m``, ``2h`` or ``7d`` in seconds, None if it is no such span."""
    found = _SPAN.fullmatch(text)
    return None if found is None else float(found[1]) * _SECONDS[found[2]]
