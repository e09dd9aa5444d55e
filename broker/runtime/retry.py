"""What follows a failed attempt: once more after a pause, or a dead letter."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import BackboneError

FIRST_WAIT_S = 0.1
WAIT_S_MAX = 5.0
ATTEMPTS_MAX = 10
"""For failures of the outside: about half a minute. The bus and the linker are waited for without end."""
ASKED_WAIT_S_MAX = 300.0
"""Whoever asks for a longer pause would hold up a whole conversation: a person must look."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the same again after a pause."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class SetAside:
    """No further attempt can help."""


def after_failure(error: BaseException, attempt: int) -> Retry | SetAside:
    """Judge the failure of attempt number ``attempt``, counted from 1."""
    if not isinstance(error, BackboneError) or not error.retryable:
        return SetAside()
    attempts_max = error.attempts_max or (None if error.is_ours else ATTEMPTS_MAX)
    if attempts_max is not None and attempt >= attempts_max:
        return SetAside()
    if error.retry_after_s > ASKED_WAIT_S_MAX:
        return SetAside()
    return Retry(max(backoff_s(attempt), error.retry_after_s))


def backoff_s(attempt: int) -> float:
    """Doubles from a tenth of a second up to five seconds."""
    return float(min(FIRST_WAIT_S * 2 ** min(attempt - 1, 10), WAIT_S_MAX))
