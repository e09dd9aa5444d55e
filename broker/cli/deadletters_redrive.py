"""`heimdall deadletters redrive`: publish again what was set aside, in the order of its conversations."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.letter_selection import AllOrgs, Numbers, Reason, Session, Since, Wanted, brief, select, wanted
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of
from broker.cli.terminal import Terminal, note, one_line
from broker.domain.redriving import Candidate, in_order
from broker.transport.connection import Connection
from broker.transport.publisher import open_publisher
from broker.transport.redrive import Redrive, Redriven, candidate_of, why_not

FAILED = 1


def command(  # noqa: PLR0913 - one parameter for each option
    numbers: Numbers = None,
    *,
    reason: Reason = None,
    since: Since = None,
    session: Session = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of the org.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be published, and publish nothing.")] = (
        False
    ),
    org: Org = DEMO_ORG,
    all_orgs: AllOrgs = False,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Publish dead letters again, each behind what its conversation, or its stub, has got meanwhile.

    Oldest first, so what is redriven together keeps its order; marked by the header Heimdall-Redriven. A letter goes
    when its new event is stored; one that fails again is a new letter.

    Example: heimdall deadletters redrive --reason unrouted --since 1h --dry-run
    Example: heimdall deadletters redrive 17 18
    """
    selection = select(org, reason, since, session, all_orgs=all_orgs)
    chosen = wanted(numbers, selection, everything=everything)
    out = Terminal(as_json=as_json)
    refused = asyncio.run(_run(nats_url_of(nats_url), chosen, out, dry_run=dry_run))
    if refused:
        raise typer.Exit(FAILED)


async def _run(url: str, chosen: Wanted, out: Terminal, *, dry_run: bool) -> int:
    """How many were refused."""
    count = 0
    async with connected(url) as connection:
        candidates, refused = await _candidates(connection, chosen)
        if dry_run:
            _show_plan(in_order(candidates), out)
            return refused
        async with open_publisher(connection) as publisher:
            async for redriven in Redrive(connection, publisher).run(candidates):
                _show(redriven, out)
                count += 1
    note(f"{count} redriven" + (f", {refused} kept" if refused else ""))
    return refused


async def _candidates(connection: Connection, chosen: Wanted) -> tuple[list[Candidate], int]:
    """What can be redriven, without the bodies; what cannot is told."""
    found: list[Candidate] = []
    refused = 0
    async for letter in chosen.find(connection):
        if problem := why_not(letter):
            note(f"dead letter {letter.sequence} is kept: {problem}")
            refused += 1
        else:
            found.append(candidate_of(letter))
    return found, refused


def _show_plan(plan: list[Candidate], out: Terminal) -> None:
    for place, candidate in enumerate(plan, 1):
        what = "webhook" if candidate.is_webhook else "event" if candidate.stub is None else "run"
        if out.as_json:
            out.record({"place": place, "letter": candidate.letter, "what": what, "session": candidate.session})
        else:
            session = one_line((candidate.session or "")[:8])
            out.row(Text.assemble(f"{place:>4}  letter {candidate.letter}  {what:<7}  ", (session, "magenta")))
    note(f"{len(plan)} would be redriven, nothing was published")


def _show(redriven: Redriven, out: Terminal) -> None:
    letter = redriven.letter
    if out.as_json:
        out.record(
            {
                "letter": letter.sequence,
                "stream": redriven.stream,
                "sequence": redriven.sequence,
                "first_sequence": letter.first_sequence,
                "subject": letter.content.subject,
            }
        )
        return
    where = f"{redriven.stream} {redriven.sequence}  {brief(letter)}"
    out.row(Text.assemble(("redriven", "bold green"), f" letter {letter.sequence} as {one_line(where)}"))
