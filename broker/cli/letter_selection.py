"""Which dead letters a command means: by number, by what they say, or all of them."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import typer

from broker.cli.options import org_of, span_s
from broker.domain.ids import action_name
from broker.errors import NotFoundError
from broker.runtime.deadletters import SHOWN_CHARACTERS
from broker.transport.connection import Connection
from broker.transport.letters import Letter, Selection, letters, one_letter

Numbers = Annotated[list[int] | None, typer.Argument(help="The letters' numbers, as 'list' shows them.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason, such as unrouted.")]
Since = Annotated[str | None, typer.Option(help="Only what was set aside within this span: 30s, 10m, 2h, 7d.")]
Session = Annotated[str | None, typer.Option(help="Only this session; its first characters are enough.")]
AllOrgs = Annotated[bool, typer.Option("--all-orgs", help="Of every org, those without a readable one included.")]
Whole = Annotated[bool, typer.Option("--whole", help="Show session uuids whole; each opens its conversation.")]

_UUID_BEGIN = re.compile(r"[0-9a-f-]{1,36}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Letters by number (of any org), or by a selection."""

    numbers: tuple[int, ...]
    selection: Selection

    async def find(self, connection: Connection) -> AsyncIterator[Letter]:
        """The letters, oldest first.

        Raises:
            NotFoundError: one that was named by its number is not there.
        """
        if not self.numbers:
            async for letter in letters(connection, self.selection):
                yield letter
        for number in sorted(set(self.numbers)):
            found = await one_letter(connection, number)
            if found is None:
                raise NotFoundError(f"dead letter {number}")
            yield found


def select(org: str, reason: str | None, since: str | None, session: str | None, *, all_orgs: bool) -> Selection:
    """The selection that the options describe.

    Raises:
        InvalidNameError: no org, no reason.
    """
    span = None if since is None else span_s(since)
    if since is not None and span is None:
        raise typer.BadParameter(f"--since {since!r} is no time span: write 30s, 10m, 2h or 7d")
    if session is not None and not _UUID_BEGIN.fullmatch(session := session.strip().lower()):
        raise typer.BadParameter("--session takes a uuid, or its first characters")
    return Selection(
        org=None if all_orgs else org_of(org),
        reason=None if reason is None else action_name(reason),
        since_ms=None if span is None else int((time.time() - span) * 1000),
        session=session,
    )


def wanted(numbers: list[int] | None, selection: Selection, *, everything: bool) -> Wanted:
    """What is to be acted on; a whole org's letters must be asked for by name."""
    narrowed = selection.reason or selection.since_ms is not None or selection.session
    if numbers and (narrowed or everything):
        raise typer.BadParameter("name letters by number, or select them by options: not both")
    if not (numbers or narrowed or everything):
        raise typer.BadParameter("which ones? Name numbers, --reason, --since or --session, or say --all")
    return Wanted(tuple(numbers or ()), selection)


def masked(text: str, letter: Letter, *, whole: bool) -> str:
    """The text with no more of the session uuid than a log line holds: the whole opens the conversation."""
    session = letter.session
    if whole or session is None or len(session) <= SHOWN_CHARACTERS:
        return text
    return text.replace(session, session[:SHOWN_CHARACTERS] + "…")


def brief(letter: Letter) -> str:
    """What the original is, in a few words that fit on a line: its session as far as a log line holds it, its kind."""
    session = "no session" if letter.session is None else letter.session[:SHOWN_CHARACTERS]
    return f"{session}  {'.'.join(letter.content.subject.split('.')[-2:])}"
