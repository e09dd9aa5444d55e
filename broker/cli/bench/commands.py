"""The commands of `heimdall bench`: what may be set, and nothing else; `chaos` is in its own folder."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.cli.bench import expiry as expiries
from broker.cli.bench import growth as growths
from broker.cli.bench import latency as latencies
from broker.cli.bench import route as routes
from broker.cli.bench.chaos import command as chaos
from broker.cli.bench.contests import USUAL, contestants
from broker.cli.bench.options import AsJson, Msgs, NoProgress, Quick, Repeat, Sessions, Size, chosen, run
from broker.cli.bench.progress import Show
from broker.cli.bench.report import finish
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
    settings = routes.RouteSettings(
        msgs=chosen(msgs, usual=20_000, quick=400 if quick else None),
        size=size,
        sessions=count,
        repeat=chosen(repeat, usual=3, quick=1 if quick else None),
        warmup=2 * count,
        live=live,
        contestants=contestants(against),
    )
    finish(run(routes.measure(settings, Show(wanted=not no_progress))), Terminal(as_json=as_json))


@app.command("latency")
def latency(  # noqa: PLR0913 - one parameter for each option
    *,
    rate: Annotated[int, typer.Option(min=1, max=20_000, help="Messages a second.")] = 500,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long a turn is.", show_default=False)] = None,
    size: Size = 300,
    sessions: Sessions = None,
    repeat: Repeat = None,
    quick: Quick = False,
    no_progress: NoProgress = False,
    as_json: AsJson = False,
) -> None:
    """Time the way of a message: visitor, linker, stub, and the answer back to the visitor.

    500 a second over 200 linked sessions for 20 seconds, three turns, against the same hops with a bare linker.

    Example: heimdall bench latency --rate 1000 --seconds 60
    """
    settings = latencies.LatencySettings(
        rate=rate,
        seconds=chosen(seconds, usual=20.0, quick=2.0 if quick else None),
        size=size,
        sessions=chosen(sessions, usual=200, quick=20 if quick else None),
        repeat=chosen(repeat, usual=3, quick=1 if quick else None),
        warmup_s=0.5 if quick else 2.0,
    )
    finish(run(latencies.measure(settings, Show(wanted=not no_progress))), Terminal(as_json=as_json))


@app.command("growth")
def growth(  # noqa: PLR0913 - one parameter for each option
    *,
    msgs: Msgs = None,
    size: Size = 300,
    sessions: Sessions = None,
    repeat: Repeat = None,
    quick: Quick = False,
    no_progress: NoProgress = False,
    as_json: AsJson = False,
) -> None:
    """Compare the cost of a message with 1,000 sessions and with 1,000,000.

    Twice: with the same number of sessions active, and with all of them, at random. --sessions 100000 for a quick look.

    Example: heimdall bench growth --sessions 100000
    """
    settings = growths.GrowthSettings(
        msgs=chosen(msgs, usual=20_000, quick=400 if quick else None),
        size=size,
        few=20 if quick else 1_000,
        many=chosen(sessions, usual=1_000_000, quick=200 if quick else None),
        repeat=chosen(repeat, usual=3, quick=1 if quick else None),
    )
    if settings.many <= settings.few:
        raise typer.BadParameter(f"--sessions must be above {settings.few}, what they are compared with")
    finish(run(growths.measure(settings, Show(wanted=not no_progress))), Terminal(as_json=as_json))


@app.command("expiry")
def expiry(  # noqa: PLR0913 - one parameter for each option
    *,
    links: Annotated[int | None, typer.Option(min=1, help="Links that are armed.", show_default=False)] = None,
    per_s: Annotated[int, typer.Option("--per-second", min=1, help="Links that come due each second.")] = 300,
    seconds: Annotated[float | None, typer.Option(min=1, help="For how long.", show_default=False)] = None,
    burst: Annotated[int | None, typer.Option(min=0, help="Links due at one moment.", show_default=False)] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Expiry workers.")] = 1,
    quick: Quick = False,
    no_progress: NoProgress = False,
    as_json: AsJson = False,
) -> None:
    """Tell how late the end of a link is announced; none early, none twice.

    100,000 links, all set through the linker; 300 come due each second for 20 seconds, then 1,000 at one moment.

    Example: heimdall bench expiry --per-second 1000 --workers 2
    """
    settings = expiries.ExpirySettings(
        links=chosen(links, usual=100_000, quick=200 if quick else None),
        per_s=50 if quick else per_s,
        seconds=chosen(seconds, usual=20.0, quick=1.0 if quick else None),
        burst=chosen(burst, usual=1_000, quick=20 if quick else None),
        workers=workers,
        repeat=1 if quick else 3,
    )
    if settings.near >= settings.links:
        raise typer.BadParameter(f"--links must be above {settings.near}, those that come due")
    finish(run(expiries.measure(settings, Show(wanted=not no_progress))), Terminal(as_json=as_json))


app.command(chaos.NAME)(chaos.command)
