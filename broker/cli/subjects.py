"""`heimdall subjects`: every subject there is, and what a given one means or where it goes wrong."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from broker.cli.options import AsJson
from broker.cli.subject_explained import FIXED, Explained, explain_pattern, explain_subject
from broker.cli.terminal import Terminal, one_line
from broker.contract.row import AREAS, Row
from broker.contract.rows import ROWS
from broker.domain.patterns import read_pattern

_CHAT = "stubber.systems.notifications.<channel>.org.<org>.name.<chat>"
SHORT = {"P": _CHAT, "S": "P.sessionuuid.<session>"}
"""What the list writes for the beginning that most subjects share."""

app = typer.Typer(invoke_without_command=True)


@app.callback()
def list_subjects(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List all subjects, or check and explain one.

    Example: heimdall subjects
    """
    if context.invoked_subcommand is not None:
        return
    out = Terminal(as_json=as_json)
    if out.as_json:
        for row in ROWS:
            out.record(_record(row))
        return
    for letter, meaning in SHORT.items():
        out.text(Text.assemble((f"{letter} = ", "bold"), meaning))
    for area, (title, _) in AREAS.items():
        out.row(Text(f"\n{title}", "bold yellow"))
        for row in [row for row in ROWS if row.area == area]:
            publishers = ", ".join(row.publishers)
            start = (f"  {row.name:<22}", "bold cyan"), f"{publishers} to {row.stream}", ("  ", "")
            out.row(Text.assemble(*start, row.meaning.replace("`", "'")))
            out.aside(_shortened(row.template))


@app.command("check")
def check(
    text: Annotated[str, typer.Argument(help="A subject, or a pattern in either spelling.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Explain a subject or a pattern token by token, or say in one line where it leaves the grammar.

    Example: heimdall subjects check
    stubber.systems.notifications.webchat.org.0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90.name.draftmywebchat.webchatmessagetype.initialize
    """
    if any(token in ("*", ">", "#") for token in text.split(".")):
        pattern, dialect = read_pattern(text)
        explained = explain_pattern(pattern, dialect)
    else:
        explained = explain_subject(text)
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(explained.record())
    else:
        _show(explained, out)


def _show(explained: Explained, out: Terminal) -> None:
    table = Table.grid(padding=(0, 2))
    for place, (token, meaning) in enumerate(explained.tokens, 1):
        table.add_row(
            Text(f"{place:>3}", "dim"), Text(one_line(token), "bold cyan", no_wrap=True), Text(meaning, _style(meaning))
        )
    out.console.print(table)
    for heading, fact in explained.facts:
        out.text(Text.assemble("  ", (f"{heading:<14}", "bold yellow"), one_line(fact)))
    for row in explained.rows:
        out.row(Text.assemble("  ", (f"{row.name:<22}", "bold cyan"), row.meaning.replace("`", "'")))


def _shortened(template: str) -> str:
    return template.replace(_CHAT, "P").replace(SHORT["S"], "S")


def _style(meaning: str) -> str:
    return "dim" if meaning == FIXED else ""


def _record(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "subject": row.template,
        "publishers": list(row.publishers),
        "consumers": list(row.consumers),
        "stream": row.stream,
        "meaning": row.meaning,
    }
