"""`heimdall demo`: the demos that there are."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.demo import giosg as giosg_demo
from broker.cli.demo import simulated_giosg, simulated_webim
from broker.cli.demo import webim as webim_demo
from broker.cli.demo.stage import Wanted
from broker.cli.demo.standin import standin_root
from broker.cli.dev_folder import DevFolder
from broker.cli.options import AsJson
from broker.cli.terminal import Terminal

app = typer.Typer(help="Watch a channel or a desk at work, without an account anywhere.", no_args_is_help=True)

DataDir = Annotated[
    Path | None, typer.Option(help="Where data and logs are kept; else a temporary folder.", show_default=False)
]


@app.command("webim")
def webim(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on afterwards: each line that you type is written by the visitor.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Play a conversation on a simulated Webim.

    Real HTTP both ways, the real workers, a program deployed from git. Ctrl-C ends it all.

    Example: heimdall demo webim --keep
    """
    _run(webim_demo.show, simulated_webim.MODULE, data_dir, keep=keep, as_json=as_json)


@app.command("giosg")
def giosg(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Play it yourself: two pages, the visitor's and the agent's, until Ctrl-C.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Play a hand-over to a human agent in a simulated giosg.

    Real HTTP both ways, the real workers, a bot that hands over and gets the visitor back. Ctrl-C ends it all.

    Example: heimdall demo giosg --keep
    """
    _run(giosg_demo.show, simulated_giosg.MODULE, data_dir, keep=keep, as_json=as_json)


def _run(
    show: Callable[[Wanted], Coroutine[None, None, None]],
    module: str,
    data_dir: Path | None,
    *,
    keep: bool,
    as_json: bool,
) -> None:
    root = standin_root(module)
    with _folder(data_dir) as folder, folder.claimed(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(show(Wanted(folder, root, keep=keep, out=Terminal(as_json=as_json))))


@contextlib.contextmanager
def _folder(asked: Path | None) -> Iterator[DevFolder]:
    """The folder that was asked for, or one that goes with the demo."""
    if asked is not None:
        yield DevFolder(asked.absolute())
        return
    # What a killed server or worker still writes meanwhile is no reason to fail.
    with tempfile.TemporaryDirectory(prefix="heimdall-demo-", ignore_cleanup_errors=True) as path:
        yield DevFolder(Path(path))
