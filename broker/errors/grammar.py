"""Grammar: what a person or a program wrote is not what the contract says."""

from __future__ import annotations

from broker.errors.root import BackboneError, shorten


class GrammarError(BackboneError):
    """A name, token, subject or pattern outside the grammar of subjects.md."""

    code = "bad_grammar"


class InvalidNameError(GrammarError):
    """A token's value breaks the rule for its place."""

    code = "bad_name"

    def __init__(self, what: str, found: str, *, expected: str) -> None:
        super().__init__(f"bad {what} {shorten(found)!r}: expected {expected}")
        self.what = what


class InvalidSubjectError(GrammarError):
    """A subject that no row of subjects.md describes."""

    code = "bad_subject"

    def __init__(self, subject: str, *, problem: str) -> None:
        super().__init__(f"subject {shorten(subject, 200)!r} is outside the grammar: {problem}")


class InvalidPatternError(GrammarError):
    """A pattern with wildcards that cannot be read."""

    code = "bad_pattern"

    def __init__(self, pattern: str, *, problem: str) -> None:
        super().__init__(f"pattern {shorten(pattern, 200)!r} cannot be used: {problem}")


class NotEmittableError(GrammarError):
    """A path on which no event can be emitted: it has a wildcard, or is no visitor's."""

    code = "not_emittable"

    def __init__(self, path: str, *, problem: str) -> None:
        super().__init__(f"nothing can be emitted on {shorten(path, 200)!r}: {problem}")
