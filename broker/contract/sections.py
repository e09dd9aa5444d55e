"""The section of one subject in subjects.md: facts, body, example, shell lines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from broker.codec import to_json
from broker.contract.fields import field_rows
from broker.contract.notes import note_for
from broker.contract.row import Row
from broker.domain.wire import Body, Wire


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; a cell's pipes are escaped."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def field_table(model: type[Wire]) -> Iterator[str]:
    """Every member of a body: type, need, default, meaning."""
    rows = [
        (
            f"`{field.path}`",
            field.type,
            "yes" if field.required else "",
            f"`{field.default}`" if field.default else "",
            note_for(field.path) or "",
        )
        for field in field_rows(model)
    ]
    yield from table(("member", "type", "required", "default", "meaning"), rows)


def example_lines(body: Body) -> Iterator[str]:
    """A body as JSON, to read; bytes as the text that they hold, as ``heimdall tap`` shows them."""
    printable = json.loads(to_json({"body": body}))["body"]
    yield from ("", "```json", json.dumps(printable, indent=2, ensure_ascii=False), "```")


def row_lines(row: Row, shown: dict[type, str]) -> Iterator[str]:
    """One subject's section. ``shown`` remembers which body was described where; it grows."""
    yield from ("", f"### {row.name}", "", row.meaning, "", "```text", row.template, "```", "")
    yield from (
        f"- **Published by** {', '.join(row.publishers)}; **consumed by** {', '.join(row.consumers)}.",
        f"- **Stream**: {row.stream}.",
    )
    yield from (f"- {remark}" for remark in row.remarks)
    yield from _body_lines(row, shown)
    yield from ("", "```sh", *shell_lines(row), "```")


def shell_lines(row: Row) -> Iterator[str]:
    """What to type to publish the subject (or ask, for a command) and to read it."""
    if row.by_hand:
        typed = row.example if row.typed is None else row.typed
        yield f"heimdall publish {row.sample} {shlex.quote(to_json(typed or {}))}"
    if not row.is_command:
        yield f"heimdall tap {row.sample}"


def _body_lines(row: Row, shown: dict[type, str]) -> Iterator[str]:
    if row.model is not None and row.model in shown:
        yield f"- **Body**: as that of [{shown[row.model]}](#{shown[row.model].replace('.', '')})."
    elif row.model is not None:
        shown[row.model] = row.name
        yield from _fields(row.model, row.inside)
    if row.example is not None:
        yield from example_lines(row.example)
    if row.reply is not None:
        yield from ("", "Reply:", "")
        if row.reply_model is not None:
            yield from _reply_fields(row.reply_model)
        yield from ("```json", json.dumps(row.reply, indent=2, ensure_ascii=False), "```")


def _fields(model: type[Wire], inside: tuple[str, ...]) -> Iterator[str]:
    if not field_rows(model):
        yield "- **Body**: an empty object."
        return
    yield f"- **Body**, inside `{'.'.join(inside)}`:" if inside else "- **Body**:"
    yield ""
    yield from field_table(model)


def _reply_fields(model: type[Wire]) -> Iterator[str]:
    rows = [(f"`{field.path}`", field.type, note_for(field.path) or "") for field in field_rows(model)]
    yield from table(("member", "type", "meaning"), rows)
    yield ""
