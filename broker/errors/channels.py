"""Channels: what an outside chat system did to us."""

from __future__ import annotations

from broker.errors.root import BackboneError


class ChannelError(BackboneError):
    """An outside system failed, and may not the next time."""

    code = "channel_failed"
    retryable = True

    def __init__(self, channel: str, *, problem: str) -> None:
        super().__init__(f"{channel} failed: {problem}")


class ChannelThrottledError(ChannelError):
    """The channel took nothing and asked us to slow down."""

    code = "channel_throttled"

    def __init__(self, channel: str, *, retry_after_s: float) -> None:
        super().__init__(channel, problem=f"it is throttling, and asks to be left alone for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s
