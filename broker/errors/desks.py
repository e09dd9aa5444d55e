"""Desks: what a system of human agents did to us, beyond what any channel may."""

from __future__ import annotations

from broker.errors.channels import ChannelAnswerError, ChannelAuthFailedError, ChannelError, ChannelRejectedError


class CredentialsRefusedError(ChannelAuthFailedError):
    """The desk's system does not take our API token (401), or its user may not do what was asked (403)."""

    code = "credentials_refused"

    def __init__(self, channel: str, *, status: int, problem: str) -> None:
        super().__init__(channel, problem=f"it answered with status {status}: {problem}")
        self.status = status


class VisitorTokenRefusedError(ChannelAuthFailedError):
    """The desk's system does not take a visitor's token any more; a fresh one is asked for."""

    code = "visitor_token_refused"

    def __init__(self, channel: str) -> None:
        super().__init__(channel, problem="it does not take the visitor's token")


class IdentityLostError(ChannelError):
    """The desk's system does not know a visitor by its secret any more; a new identity has been kept already."""

    code = "identity_lost"
    retryable = False

    def __init__(self, channel: str) -> None:
        super().__init__(
            channel, problem="it no longer knows this visitor, who has a new identity now: begin a new chat with it"
        )


class RoomUnknownError(ChannelRejectedError):
    """The desk's system has no such room: the connection is configured wrongly, and nothing helps but to mend it."""

    code = "room_unknown"


class AnswerIncompleteError(ChannelAnswerError):
    """An answer lacks what it must have, or holds it in another form.

    ``field`` names it; ``is_done``: what was asked was done, so that asking again does it twice.
    """

    code = "answer_incomplete"

    def __init__(self, channel: str, *, field: str, problem: str, is_done: bool = False) -> None:
        super().__init__(channel, problem=f"its answer cannot be used: {problem}")
        self.field = field
        self.may_be_taken = is_done


class AnswerUnreadableError(AnswerIncompleteError):
    """An answer says that all is well, and broke off on the way, or somebody in between has given it.

    The call is not made again by itself; what needed it is not over because of that.
    """

    code = "answer_unreadable"
    retryable = True
