"""`heimdall deadletters drop`: end dead letters for good."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.letter_selection import AllOrgs, Numbers, Reason, Session, Since, Wanted, brief, select, wanted
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of
from broker.cli.terminal import Terminal, note, one_line
from broker.transport.letters import remove_letter


def command(  # noqa: PLR0913 - one parameter for each option
    numbers: Numbers = None,
    *,
    reason: Reason = None,
    since: Since = None,
    session: Session = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of the org.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    org: Org = DEMO_ORG,
    all_orgs: AllOrgs = False,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Delete dead letters; asks first, and says what it dropped. The events in the log stay.

    Example: heimdall deadletters drop 17
    Example: heimdall deadletters drop --reason undecodable --since 7d --yes
    """
    selection = select(org, reason, since, session, all_orgs=all_orgs)
    chosen = wanted(numbers, selection, everything=everything)
    url, out = nats_url_of(nats_url), Terminal(as_json=as_json)
    found = asyncio.run(_found(url, chosen))
    if not found:
        note("no dead letters")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter(
                f"{len(found)} dead letters would go for good: say --yes where nobody can be asked"
            )
        typer.confirm(f"Drop {len(found)} dead letters for good?", abort=True, err=True)
    asyncio.run(_drop(url, found, out))


async def _found(url: str, chosen: Wanted) -> dict[int, tuple[str, str]]:
    """Reason and original of each letter, by its number."""
    async with connected(url) as connection:
        return {letter.sequence: (letter.content.reason, brief(letter)) async for letter in chosen.find(connection)}


async def _drop(url: str, found: dict[int, tuple[str, str]], out: Terminal) -> None:
    count = 0
    async with connected(url) as connection:
        for number, (reason, original) in found.items():
            if not await remove_letter(connection, number):
                continue  # somebody else was quicker
            count += 1
            if out.as_json:
                out.record({"dropped": number, "reason": reason, "original": original})
            else:
                what = one_line(f"{number}  {reason}  {original}")
                out.row(Text.assemble(("dropped", "bold yellow"), f" letter {what}"))
    note(f"{count} dropped")
