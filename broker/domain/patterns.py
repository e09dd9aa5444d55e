"""Patterns: subjects with wildcards, in heimdall's spelling or in NATS's, which are the reverse of each other.

Source: specs/stubber-webchat.md sections 2.5 (O1, O2, O11), 2.6 and 2.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from broker.domain.subjects import VISITOR_KINDS, Kind
from broker.errors import InvalidPatternError

Dialect = Literal["heimdall", "nats"]

PATTERN_CHARACTERS_MAX = 1_000
_TOKEN = re.compile(r"[A-Za-z0-9_$-]+")
_SESSION_PLACE = 8
"""Where ``sessionuuid`` stands in an event's subject, counted from 0."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Tokens in NATS's spelling: ``*`` is one level, a last ``>`` is one level or more."""

    tokens: tuple[str, ...]

    @classmethod
    def from_heimdall(cls, text: str) -> Self:
        """Translate ``#`` (one level) and a trailing ``*`` (anything deeper).

        Raises:
            InvalidPatternError: a ``*`` before the end, a ``>``, an empty token or a character no subject has.
        """
        tokens = _split(text)
        for index, token in enumerate(tokens):
            if token == "*" and index < len(tokens) - 1:
                raise InvalidPatternError(text, problem="'*' may only stand at the end; one level is '#'")
            if token == ">":
                raise InvalidPatternError(text, problem="'>' is NATS spelling; anything deeper is a last '*' here")
        nats = ["*" if token == "#" else token for token in tokens]
        if tokens[-1] == "*":
            nats[-1] = ">"
        return cls(_checked(text, nats))

    @classmethod
    def from_nats(cls, text: str) -> Self:
        """Read a pattern as NATS spells it.

        Raises:
            InvalidPatternError: a ``>`` before the end, a ``#``, an empty token or a character no subject has.
        """
        tokens = _split(text)
        if "#" in tokens:
            raise InvalidPatternError(text, problem="'#' is heimdall spelling; one level is '*' here")
        if ">" in tokens[:-1]:
            raise InvalidPatternError(text, problem="'>' may only stand at the end")
        return cls(_checked(text, tokens))

    def matches(self, subject: tuple[str, ...]) -> bool:
        """Whether a subject's tokens fit."""
        deep = self.tokens[-1] == ">"
        wanted = self.tokens[:-1] if deep else self.tokens
        if len(subject) <= len(wanted) if deep else len(subject) != len(wanted):
            return False
        return all(token in ("*", found) for token, found in zip(wanted, subject, strict=False))

    def overlaps(self, other: Pattern) -> bool:
        """Whether some subject fits both."""
        for mine, theirs in zip(self.tokens, other.tokens, strict=False):
            if ">" in (mine, theirs):
                return True
            if mine != theirs and "*" not in (mine, theirs):
                return False
        return len(self.tokens) == len(other.tokens)

    def __str__(self) -> str:
        return ".".join(self.tokens)


def read_pattern(text: str) -> tuple[Pattern, Dialect]:
    """Read a pattern of unknown spelling, and say which it was taken for.

    A ``#`` tells heimdall; a ``>`` or a ``*`` before the end tells NATS. A last ``*`` alone could be either and is
    read as heimdall's "anything deeper", which shows more rather than less.
    """
    tokens = _split(text)
    if "#" in tokens and (">" in tokens or "*" in tokens[:-1]):
        raise InvalidPatternError(text, problem="it mixes heimdall's '#' with NATS's '>' or '*'; use one spelling")
    if ">" in tokens or "*" in tokens[:-1]:
        return Pattern.from_nats(text), "nats"
    return Pattern.from_heimdall(text), "heimdall"


def registered_forms(pattern: Pattern) -> tuple[Pattern, ...]:
    """The forms under which a registered path is looked for: as written, and as it must have been meant.

    A doubled ``sessionuuid`` pair means one (O1). A path that ends in a session's event type without a session pair
    means any session (O2), a wildcard in the place of the type as well; the literal form is kept too.
    """
    tokens = pattern.tokens
    head, rest = tokens[:_SESSION_PLACE], tokens[_SESSION_PLACE:]
    if rest[:1] == ("sessionuuid",) and rest[2:4] == rest[:2]:
        return (Pattern(head + rest[2:]),)
    session_types = {"*", ">"} | {str(kind) for kind in VISITOR_KINDS if kind is not Kind.INITIALIZE}
    if len(rest) == 2 and rest[0].endswith("messagetype") and rest[1] in session_types:
        return (pattern, Pattern((*head, "sessionuuid", "*", *rest)))
    return (pattern,)


def _split(text: str) -> list[str]:
    if not text or len(text) > PATTERN_CHARACTERS_MAX:
        raise InvalidPatternError(
            text, problem=f"it has {len(text)} characters, 1 to {PATTERN_CHARACTERS_MAX} are taken"
        )
    return text.split(".")


def _checked(text: str, tokens: list[str]) -> tuple[str, ...]:
    """The tokens, if each is a wildcard or something that a subject may hold."""
    for place, token in enumerate(tokens, 1):
        if token in ("*", ">"):
            continue
        if not token:
            raise InvalidPatternError(text, problem=f"token {place} is empty")
        if not _TOKEN.fullmatch(token):
            raise InvalidPatternError(text, problem=f"token {place} holds a character that no subject has")
        if token != token.lower() and place <= _SESSION_PLACE:
            raise InvalidPatternError(text, problem=f"token {place} has upper case, which no path has")
    return tuple(tokens)
