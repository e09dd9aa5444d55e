"""`heimdall demo`: the demos that there are."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.demo.project import make_project
from broker.cli.demo.standin import standin_root
from broker.cli.demo.webim import Wanted, show
from broker.cli.dev_folder import DevFolder
from broker.cli.options import AsJson
from broker.cli.terminal import Terminal

app = typer.Typer(help="Watch a channel at work, without an account anywhere.", no_args_is_help=True)


@app.command("webim")
def webim(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on afterwards: each line that you type is written by the visitor.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data and logs are kept; else a temporary folder.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a conversation on a simulated Webim.

    Real HTTP both ways, the real workers, a program deployed from git. Ctrl-C ends it all.

    Example: heimdall demo webim --keep
    """
    root = standin_root()
    with _folder(data_dir) as folder, folder.claimed(), contextlib.suppress(KeyboardInterrupt):
        project = make_project(folder.path / "project")
        asyncio.run(show(Wanted(folder, project, root, keep=keep, out=Terminal(as_json=as_json))))


@contextlib.contextmanager
def _folder(asked: Path | None) -> Iterator[DevFolder]:
    """The folder that was asked for, or one that goes with the demo."""
    if asked is not None:
        yield DevFolder(asked.absolute())
        return
    # What a killed server or worker still writes meanwhile is no reason to fail.
    with tempfile.TemporaryDirectory(prefix="heimdall-demo-", ignore_cleanup_errors=True) as path:
        yield DevFolder(Path(path))
