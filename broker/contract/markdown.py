"""Writes subjects.md: the whole contract for people who have a shell and have never seen the project."""

from __future__ import annotations

from collections.abc import Iterator

from broker.contract.codes import CODES
from broker.contract.desks import desk_lines
from broker.contract.dialogs import dialog_lines
from broker.contract.phones import phone_lines
from broker.contract.row import AREAS, ROLES, Row
from broker.contract.rows import ROWS
from broker.contract.sections import row_lines, table
from broker.contract.stores import bucket_lines, stream_lines
from broker.contract.texts import BODIES, INTRODUCTION, TOUR, VERSIONS, WILDCARDS
from broker.contract.tokens import HEADERS, PLACEHOLDERS


def render() -> str:
    """The whole page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield from (*INTRODUCTION, *TOUR)
    yield from _grammar()
    yield from (*BODIES, *_headers(), *WILDCARDS)
    yield from _overview()
    for area, (title, lead) in AREAS.items():
        yield from ("", f"## {title}", "", lead)
        shown: dict[type, str] = {}
        for row in ROWS:
            if row.area == area:
                yield from row_lines(row, shown)
    yield from phone_lines()
    yield from dialog_lines()
    yield from desk_lines()
    yield from stream_lines()
    yield from bucket_lines()
    yield from _codes()
    yield from VERSIONS


def _grammar() -> Iterator[str]:
    yield from (
        "",
        "## How a subject is built",
        "",
        "Every subject begins with `stubber.systems`. After that the scheme is label, value, label, value, so each",
        "value is found by the label before it. All is lower case, but for the values where the table allows more.",
        "",
    )
    yield from table(
        ("token", "what it is", "rule", "example"),
        [(f"`<{p.name}>`", p.meaning, p.rule, f"`{p.example}`") for p in PLACEHOLDERS],
    )
    yield from (
        "",
        "A value never holds a dot, a blank or a wildcard: what comes from outside is checked or minted by us, and",
        "cannot add a token. `heimdall subjects check SUBJECT` says whether a subject fits, and where it does not.",
    )


def _headers() -> Iterator[str]:
    yield from ("", "Headers say what is not in the body. None is needed to publish from a shell.", "")
    yield from table(("header", "on", "what it says"), [(f"`{name}`", on, says) for name, on, says in HEADERS])


def _overview() -> Iterator[str]:
    yield from ("", "## All subjects", "")
    yield from table(
        ("name", "subject", "published by", "consumed by", "stream"),
        [
            (_linked(row), f"`{row.template}`", _roles(row.publishers), _roles(row.consumers), row.stream)
            for row in ROWS
        ],
    )
    yield from ("", "Who is who:", "")
    yield from table(("role", "who that is"), list(ROLES.items()))


def _linked(row: Row) -> str:
    anchor = row.name.replace(".", "").replace(" ", "-")
    return f"[{row.name}](#{anchor})"


def _roles(roles: tuple[str, ...]) -> str:
    return ", ".join(roles)


def _codes() -> Iterator[str]:
    yield from (
        "",
        "## Codes",
        "",
        "The reason in a dead letter, and the `code` in the reply to a command that failed. What passes by itself (the",
        "server restarts, a connection breaks) is tried again and is in neither.",
        "",
    )
    yield from table(
        ("code", "in", "meaning", "what mends it"),
        [(f"`{code.code}`", code.places, code.meaning, code.mend) for code in CODES],
    )
