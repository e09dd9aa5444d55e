"""`heimdall giosg`: what an operator does about the connections to giosg."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from broker.cli.options import AsJson

NAME = "giosg"

Connection = Annotated[str | None, typer.Argument(help="Its name; else all of the file.", show_default=False)]

app = typer.Typer(help="Check the connections to giosg.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check the connections to giosg."""


@app.command("verify")
def verify(
    connection: Connection = None,
    *,
    file: Annotated[
        str, typer.Option(envvar="HEIMDALL_GIOSG_CONNECTIONS", help="The file of connections.", show_default=False)
    ] = "",
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show webhook addresses with their secret, to paste them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, API token, organization, room and webhook addresses, and say how to mend what is wrong.

    It makes no visitor and no chat. Exit code 1 if anything failed.

    Example: heimdall giosg verify support --file giosg.toml
    """
    arguments = [*([] if connection is None else [connection]), f"--file={file}"]
    arguments += [name for name, given in (("--show-secrets", show_secrets), ("--json", as_json)) if given]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "workers.giosg.verify", *arguments])  # noqa: S606 - our own module
