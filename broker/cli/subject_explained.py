"""What a subject or a pattern means, token by token, out of the contract's table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broker.cli.tap_sources import meet
from broker.contract.row import ROLES, Row
from broker.contract.rows import ROWS, row_of
from broker.contract.tokens import PLACEHOLDERS
from broker.domain.grammar import parse_subject
from broker.domain.patterns import Dialect, Pattern
from broker.errors import InvalidNameError, InvalidPatternError

_MEANINGS = {f"<{placeholder.name}>": placeholder for placeholder in PLACEHOLDERS}
FIXED = "always this word"
_WILDCARDS = {"*": "any one token", ">": "one token or more, whatever they are"}


@dataclass(frozen=True, slots=True)
class Explained:
    """The tokens with their meaning, what is known of the whole, and, of a pattern, the rows that it reaches."""

    tokens: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...] = ()

    def record(self) -> dict[str, Any]:
        """The same for a pipe."""
        tokens = [{"token": token, "meaning": meaning} for token, meaning in self.tokens]
        found: dict[str, Any] = {"tokens": tokens, **dict(self.facts)}
        if self.rows:
            found["matches"] = [row.name for row in self.rows]
        return found


def explain_subject(text: str) -> Explained:
    """Explain a subject without wildcards.

    Raises:
        InvalidSubjectError: it is outside the grammar; the message says where.
    """
    row = row_of(parse_subject(text))
    given, template = text.split("."), row.template.split(".")
    meanings = [_meaning(token) for token in template]
    if len(given) == len(template) + 2:  # a doubled sessionuuid pair, which the grammar reads as one
        meanings[10:10] = ["the same pair again: read as one", "the same session again"]
    facts = (
        ("row", row.name),
        ("meaning", row.meaning),
        ("published by", "; ".join(ROLES[role].replace("`", "") for role in row.publishers)),
        ("read by", ", ".join(row.consumers)),
        ("stream", row.stream),
        ("try", _to_try(text, row)),
    )
    return Explained(tuple(zip(given, meanings, strict=True)), facts)


def explain_pattern(pattern: Pattern, dialect: Dialect) -> Explained:
    """Explain a pattern and list the rows that it can match.

    Raises:
        InvalidPatternError: it can match no subject of ours.
    """
    rows = _reached(pattern)
    template = rows[0].template.split(".")
    meanings = [
        _WILDCARDS.get(token) or (_meaning(template[place]) if place < len(template) else "")
        for place, token in enumerate(pattern.tokens)
    ]
    facts = (
        ("read as", f"{dialect} spells it"),
        ("for NATS", str(pattern)),
        ("reaches", f"{len(rows)} kinds of subject"),
    )
    return Explained(tuple(zip(pattern.tokens, meanings, strict=True)), facts, rows)


def _reached(pattern: Pattern) -> tuple[Row, ...]:
    """The rows that the pattern can match."""
    shaped = [row for row in ROWS if meet(pattern.tokens, _as_pattern(row)) is not None]
    if not shaped:
        raise InvalidPatternError(
            str(pattern), problem="no subject of ours can match it; 'heimdall subjects' lists all"
        )
    problems = {row.name: _misfit(pattern, row) for row in shaped}
    found = tuple(row for row in shaped if problems[row.name] is None)
    if not found:
        raise InvalidPatternError(str(pattern), problem=str(problems[shaped[0].name]))
    return found


def _as_pattern(row: Row) -> tuple[str, ...]:
    """The row's template with a wildcard at each place that varies."""
    # `<channel>messagetype` varies as a whole: NATS has no wildcard inside a token.
    return tuple("*" if "<" in token else token for token in row.template.split("."))


def _misfit(pattern: Pattern, row: Row) -> str | None:
    """Why a literal token of the pattern cannot stand where the row has a placeholder; None if all can."""
    for token, wanted in zip(pattern.tokens, row.template.split("."), strict=False):
        if token in _WILDCARDS or "<" not in wanted:
            continue
        placeholder = _MEANINGS.get(wanted)
        if placeholder is None:
            if not token.endswith("messagetype"):
                return f"{token!r} stands where '<channel>messagetype' is expected"
        elif placeholder.check is not None:
            try:
                placeholder.check(token)
            except InvalidNameError as error:
                return str(error)
    return None


def _meaning(token: str) -> str:
    if placeholder := _MEANINGS.get(token):
        return f"{placeholder.meaning.replace('`', '')}; {placeholder.rule}"
    if token.endswith("messagetype"):
        return "the channel's name and 'messagetype'; the next token is the type"
    return FIXED


def _to_try(text: str, row: Row) -> str:
    if row.by_hand:
        return f"heimdall publish {text} '{{...}}'"
    return f"heimdall tap {text}" if row.is_stored else f"heimdall subjects  ({row.stream} is not watched)"
