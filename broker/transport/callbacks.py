"""Who wants to know: callbacks that can be ended one by one, and one timer for all periodic checks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")

Callback = Callable[[], None]


class Callbacks(Generic[P]):
    """Plain functions called in the order they were added; they must not block."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[P, None]] = []

    def add(self, callback: Callable[P, None]) -> Callback:
        """Call it from now on; returns what ends that."""
        self._callbacks.append(callback)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._callbacks.remove(callback)

        return end

    def call(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all of them; one may end itself or another meanwhile."""
        for callback in list(self._callbacks):
            callback(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self._callbacks)


class Ticker:
    """One timer for any number of checks; none while there are no checks."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._checks: Callbacks[[]] = Callbacks()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, check: Callback) -> Callback:
        """Call ``check`` once a period; returns what ends that."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._period_s, self._tick)
        return self._checks.add(check)

    def stop(self) -> None:
        """Call nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._timer = None
        if self._checks:
            self._timer = asyncio.get_running_loop().call_later(self._period_s, self._tick)
        self._checks.call()
