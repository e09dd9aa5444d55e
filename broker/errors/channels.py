"""Channels: what an outside chat system did to us."""

from __future__ import annotations

from broker.errors.root import BackboneError, shorten

WORDS_MAX = 200
"""Of another system, in an error."""


class ChannelError(BackboneError):
    """An outside system failed, and may not the next time.

    ``may_be_taken``: it may have done what was asked nevertheless, so that asking again may do it twice.
    """

    code = "channel_failed"
    retryable = True
    may_be_taken = False

    def __init__(self, channel: str, *, problem: str) -> None:
        super().__init__(f"{channel} failed: {problem}")


class CallRefusedError(BackboneError):
    """What a channel sent is not taken; ``code`` is the word that it is told, and decides about the status."""

    code = "call_refused"

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


class ChannelThrottledError(ChannelError):
    """The channel took nothing and asked us to slow down."""

    code = "channel_throttled"

    def __init__(self, channel: str, *, retry_after_s: float) -> None:
        super().__init__(channel, problem=f"it is throttling, and asks to be left alone for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class ChannelUnreachableError(ChannelError):
    """No connection came about: nothing was sent."""

    code = "channel_unreachable"


class ChannelSilentError(ChannelError):
    """What was sent has no answer, or not a whole one."""

    code = "channel_silent"
    may_be_taken = True


class ChannelAwayError(ChannelError):
    """It has failed as often as one call is tried; the conversation waits, until its time is up."""

    code = "channel_away"
    attempts_max = 1_000_000  # whoever raises it keeps the time


class ChannelGaveUpError(ChannelError):
    """It has been away for longer than a conversation waits."""

    code = "channel_gave_up"
    retryable = False


class ChannelRejectedError(ChannelError):
    """The outside system understood us and would not. ``error`` and ``desc`` are its own words, shortened."""

    code = "channel_rejected"
    retryable = False

    def __init__(
        self, channel: str, *, problem: str, status: int | None = None, error: str | None = None, desc: str = ""
    ) -> None:
        super().__init__(channel, problem=problem)
        self.status = status
        self.error = shorten(error, WORDS_MAX) if error is not None else self.code
        self.desc = shorten(desc, WORDS_MAX)


class ChannelAnswerError(ChannelRejectedError):
    """The outside system says that all is well, in a form that says nothing."""

    code = "channel_answer_unreadable"


class ChatGoneError(ChannelRejectedError):
    """The outside system does not know the chat, or not any more."""

    code = "chat_gone"


class QueueRedirectUnsupportedError(ChannelRejectedError):
    """The outside system is too old to take a chat back without being told for whom; it was not asked."""

    code = "queue_redirect_unsupported"


class ChatNotOwnedError(ChannelError):
    """The chat is not the bot's any more, or its session is over: nothing is shown."""

    code = "chat_not_owned"
    retryable = False


class ChannelAuthFailedError(ChannelError):
    """The outside system does not take our token or login: an administrator must look."""

    code = "channel_auth_failed"
    retryable = False


class AddressRefusedError(ChannelError):
    """The address is one that calls to the outside must not reach."""

    code = "address_refused"
    retryable = False
