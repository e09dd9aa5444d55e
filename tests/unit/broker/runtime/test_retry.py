"""Which failure is tried again, how often and when."""

from __future__ import annotations

import pytest

from broker.errors import (
    BackboneError,
    BusError,
    ChannelError,
    ChannelThrottledError,
    CommandRefusedError,
    ConflictError,
    NoWorkerError,
    UndecodableBodyError,
)
from broker.runtime.retry import ATTEMPTS_MAX, Retry, SetAside, after_failure, backoff_s


class OutsideError(BackboneError):
    """A failure of some outside system that may pass."""

    retryable = True


class BoundedError(BusError):
    """One that is not tried for ever, though the bus is."""

    attempts_max = 3


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        pytest.param(ConflictError("key"), 1, Retry(0.1), id="the bus, first time"),
        pytest.param(BusError("away"), 1_000, Retry(5.0), id="the bus, for ever"),
        pytest.param(NoWorkerError("register"), 1_000, Retry(5.0), id="the linker, for ever"),
        pytest.param(CommandRefusedError("emit", "stream_full", "x"), 1_000, Retry(5.0), id="the bus, says the linker"),
        pytest.param(CommandRefusedError("emit", "forbidden", "x"), 1, SetAside(), id="a command that is refused"),
        pytest.param(OutsideError(), 2, Retry(0.2), id="the outside, second time"),
        pytest.param(OutsideError(), ATTEMPTS_MAX, SetAside(), id="the outside, too often"),
        pytest.param(ChannelError("desk", problem="down"), 1, Retry(0.1), id="a channel that failed"),
        pytest.param(ChannelThrottledError("desk", retry_after_s=7), 1, Retry(7.0), id="a channel that asks to wait"),
        pytest.param(ChannelThrottledError("desk", retry_after_s=0.01), 1, Retry(0.1), id="a wait below our own"),
        pytest.param(ChannelThrottledError("desk", retry_after_s=9_999), 1, SetAside(), id="a wait beyond patience"),
        pytest.param(BoundedError(), 2, Retry(0.2), id="a bound of its own, not reached"),
        pytest.param(BoundedError(), 3, SetAside(), id="a bound of its own, reached"),
        pytest.param(UndecodableBodyError(3, "no"), 1, SetAside(), id="a bad body never gets better"),
        pytest.param(KeyError("x"), 1, SetAside(), id="a bug of ours"),
    ],
)
def test_a_failure_is_judged(error: Exception, attempt: int, expected: Retry | SetAside) -> None:
    assert after_failure(error, attempt) == expected


def test_pauses_grow_up_to_five_seconds() -> None:
    waits = [backoff_s(attempt) for attempt in range(1, 100)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.1, 5.0)
