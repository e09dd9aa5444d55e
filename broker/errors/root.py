"""The root of all our errors, and the one thing that their messages share."""

from __future__ import annotations


class BackboneError(Exception):
    """Root of all our errors.

    ``code`` is the word used in logs, dead letters, command replies and tests; ``retryable`` says whether the
    same attempt may succeed later without anyone changing anything; ``is_ours`` that a part of the backbone is away,
    and waited for however long it takes. ``retry_after_s`` is the least wait that somebody
    asked for; ``attempts_max`` a bound of this error's own, None for that of its kind; ``attempts`` how often it was
    tried, where the error knows better than the process that met it last.
    """

    code = "backbone"
    retryable = False
    is_ours = False
    retry_after_s = 0.0
    attempts_max: int | None = None
    attempts: int | None = None


def shorten(text: str, characters_max: int = 80) -> str:
    """The text, cut so that a message stays one line."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
