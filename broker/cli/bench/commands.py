"""The commands of `heimdall bench`: what may be set, and nothing else. `chaos` has its place here too."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.cli.bench.contests import USUAL, contestants
from broker.cli.bench.options import AsJson, Msgs, NoProgress, Quick, Repeat, Sessions, Size, chosen, run
from broker.cli.bench.progress import Show
from broker.cli.bench.report import finish
from broker.cli.bench.route import RouteSettings, measure
from broker.cli.terminal import Terminal

app = typer.Typer(
    help="Measure this machine: speed with a checker beside it; a run that loses, doubles or reorders has no figure.",
    no_args_is_help=True,
)


@app.command("route")
def route(  # noqa: PLR0913 - one parameter for each option
    *,
    msgs: Msgs = None,
    size: Size = 300,
    sessions: Sessions = None,
    repeat: Repeat = None,
    live: Annotated[bool, typer.Option("--live", help="Publish while they are routed, not before.")] = False,
    against: Annotated[str, typer.Option(help="Contestants, with commas between.")] = ",".join(USUAL),
    quick: Quick = False,
    no_progress: NoProgress = False,
    as_json: AsJson = False,
) -> None:
    """Route messages of linked sessions, against a bare nats-py loop and FastStream.

    20,000 messages over 1,000 sessions, three turns each, every contestant one process and the same consumers.

    Example: heimdall bench route --msgs 50000 --repeat 5
    """
    count = chosen(sessions, usual=1_000, quick=20 if quick else None)
    settings = RouteSettings(
        msgs=chosen(msgs, usual=20_000, quick=400 if quick else None),
        size=size,
        sessions=count,
        repeat=chosen(repeat, usual=3, quick=1 if quick else None),
        warmup=2 * count,
        live=live,
        contestants=contestants(against),
    )
    finish(run(measure(settings, Show(wanted=not no_progress))), Terminal(as_json=as_json))
