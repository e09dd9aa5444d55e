"""`heimdall deadletters`: what nobody could take: look at it, publish it again, or end it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated

import typer
from rich.text import Text

from broker.cli import deadletters_drop, deadletters_redrive
from broker.cli.bus import connected
from broker.cli.letter_selection import AllOrgs, Reason, Session, Since, Whole, masked, select
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of
from broker.cli.terminal import Columns, Terminal, date_and_time, note, one_line, printable
from broker.codec import decode, to_json
from broker.domain import headers as names
from broker.domain.wire import Body
from broker.errors import BodyError, NotFoundError
from broker.transport.letters import Letter, Selection, letters, one_letter

LIMIT_DEFAULT = 100

app = typer.Typer(help="Dead letters: list, show, redrive, drop.", no_args_is_help=True)


@app.command("list")
def list_letters(  # noqa: PLR0913 - one parameter for each option
    *,
    reason: Reason = None,
    since: Since = None,
    session: Session = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = LIMIT_DEFAULT,
    org: Org = DEMO_ORG,
    all_orgs: AllOrgs = False,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List an org's dead letters, the newest last.

    Example: heimdall deadletters list --reason unrouted --since 1h
    """
    selection = select(org, reason, since, session, all_orgs=all_orgs)
    found, more = asyncio.run(_newest(nats_url_of(nats_url), selection, limit))
    out = Terminal(as_json=as_json)
    if more:
        note(f"{more} older ones are not shown: raise --limit")
    if out.as_json:
        for letter in found:
            out.record(summary(letter))
    elif found:
        out.columns(_table(found))
    else:
        note("no dead letters")


@app.command("show")
def show_letter(
    number: Annotated[int, typer.Argument(help="The letter's number, as 'list' shows it.")],
    *,
    whole: Whole = False,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Show one dead letter: the reason, and the original with its headers and its body.

    Example: heimdall deadletters show 17
    """
    letter = asyncio.run(_one(nats_url_of(nats_url), number))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record({**summary(letter), "headers": letter.content.headers, "body": _body(letter.content.body)})
    else:
        _show(letter, out, whole=whole)


def summary(letter: Letter) -> Body:
    """A letter for a pipe, without what was written."""
    content = letter.content
    return {
        "letter": letter.sequence,
        "kept_at_ms": letter.kept_at_ms,
        "org": letter.org,
        "reason": content.reason,
        "detail": content.detail,
        "attempts": content.attempts,
        "session": letter.session,
        "subject": content.subject,
        "stream": content.stream,
        "sequence": content.sequence,
        "redriven": names.REDRIVEN in content.headers,
    }


def _table(found: list[Letter]) -> Columns:
    table = Columns("letter", "set aside", "reason", "session", "attempts", "original", "detail", flexible="detail")
    for letter in found:
        content = letter.content
        table.add(
            Text(str(letter.sequence), "bold"),
            Text(date_and_time(letter.kept_at_ms), "dim"),
            Text(one_line(content.reason), "red"),
            Text(one_line((letter.session or "")[:8]), "magenta"),
            str(content.attempts),
            f"{content.stream} {content.sequence}",
            masked(content.detail, letter, whole=False),
        )
    return table


def _show(letter: Letter, out: Terminal, *, whole: bool) -> None:
    content = letter.content

    def fact(name: str, value: str) -> None:
        out.text(Text.assemble((f"{name:<11}", "dim"), printable(masked(value, letter, whole=whole))))

    out.row(Text.assemble((f"dead letter {letter.sequence}", "bold"), "  ", (one_line(content.reason), "bold red")))
    fact("why", content.detail)
    fact("attempts", str(content.attempts))
    fact("set aside", date_and_time(letter.kept_at_ms))
    fact("original", f"{content.stream} {content.sequence}, stored {date_and_time(content.stored_at_ms)}")
    fact("subject", content.subject)
    for name, value in content.headers.items():
        fact("header", f"{name}: {value}")
    body = _body(content.body)
    shown = body if isinstance(body, str) else to_json(body)
    fact("body", shown or "(empty)")


async def _newest(url: str, selection: Selection, limit: int) -> tuple[list[Letter], int]:
    """The last ones, and how many came before them."""
    found: deque[Letter] = deque(maxlen=limit)
    total = 0
    async with connected(url) as connection:
        async for letter in letters(connection, selection):
            found.append(letter)
            total += 1
    return list(found), total - len(found)


async def _one(url: str, number: int) -> Letter:
    async with connected(url) as connection:
        letter = await one_letter(connection, number)
    if letter is None:
        raise NotFoundError(f"dead letter {number}")
    return letter


def _body(data: bytes) -> Body | str:
    """As it reads: a map where it can be decoded, else its bytes as far as they are text."""
    try:
        return decode(data)
    except BodyError:
        return data.decode(errors="backslashreplace")


app.command("redrive")(deadletters_redrive.command)
app.command("drop")(deadletters_drop.command)
