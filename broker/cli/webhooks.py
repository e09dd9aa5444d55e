"""`heimdall webhooks`: what outside systems called us with, what we answered, and why."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Annotated

import typer

from broker.cli.bus import connected
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of, span_s
from broker.cli.terminal import Terminal, note
from broker.cli.webhook_lines import HEADING, line, record, show
from broker.domain.ids import connection_name
from broker.errors import NotFoundError
from broker.transport.backwards import span_of
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import WEBHOOK_STREAM
from broker.transport.webhooks import KeptCall, Selection, newest_calls, one_call, read_call

LIMIT_DEFAULT = 100

app = typer.Typer(help="What outside systems called us with: log, show.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class _View:
    selection: Selection
    limit: int
    follow: bool
    out: Terminal


@app.command("log")
def list_calls(  # noqa: PLR0913 - one parameter for each option
    *,
    connection: Annotated[str | None, typer.Option(help="Only calls to this connection, such as support.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what came within this span: 30s, 10m, 2h, 7d.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what was not taken.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = LIMIT_DEFAULT,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes; Ctrl-C ends.")] = False,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List an org's calls, the newest last: when, to which connection, what about, the answer and why.

    Example: heimdall webhooks log --connection support --since 1h
    Example: heimdall webhooks log --refused --follow
    """
    selection = Selection(
        org=org_of(org),
        connection=None if connection is None else connection_name(connection),
        outcome="refused" if refused else None,
        since_ms=_since_ms(since),
    )
    view = _View(selection, limit, follow, Terminal(as_json=as_json))
    with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():  # the usual way to end it
        asyncio.run(_log(nats_url_of(nats_url), view))


@app.command("show")
def show_call(
    number: Annotated[int, typer.Argument(help="The call's number, as 'log' shows it.")],
    *,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Show one call: how it was answered, and what it said, with ids but without anything that people wrote.

    Example: heimdall webhooks show 1205
    """
    call = asyncio.run(_one(nats_url_of(nats_url), number))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(record(call, with_content=True))
    else:
        show(call, out)


async def _log(url: str, view: _View) -> None:
    async with connected(url) as connection:
        end = (await span_of(connection, WEBHOOK_STREAM)).last
        found, more = await newest_calls(connection, view.selection, limit=view.limit)
        if more:
            note("older ones are not shown: raise --limit, or narrow by --since")
        if (found or view.follow) and not view.out.as_json:
            view.out.row(HEADING)
        for call in found:
            _print(call, view.out)
        if view.follow:
            await _follow(connection, view, after=max([end, *(call.sequence for call in found)]))
        elif not found:
            note("no calls")


async def _follow(connection: Connection, view: _View, *, after: int) -> None:
    async def accept(message: StoredMessage) -> None:
        if (call := read_call(message)) is not None:
            _print(call, view.out)

    async with LogReader(connection, WEBHOOK_STREAM, accept, filters=(view.selection.pattern,), after=after):
        await asyncio.Event().wait()


def _print(call: KeptCall, out: Terminal) -> None:
    if out.as_json:
        out.record(record(call))
    else:
        out.row(line(call))


async def _one(url: str, number: int) -> KeptCall:
    async with connected(url) as connection:
        call = await one_call(connection, number)
    if call is None:
        raise NotFoundError(f"webhook {number}")
    return call


def _since_ms(text: str | None) -> int | None:
    if text is None:
        return None
    if (span := span_s(text)) is None:
        raise typer.BadParameter(f"--since {text!r} is no time span: write 30s, 10m, 2h or 7d")
    return int((time.time() - span) * 1000)
