"""Pure: what a call's outcome says of its connection."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors import (
    AnswerUnreadableError,
    ChannelAuthFailedError,
    ChannelError,
    ChannelThrottledError,
    RoomUnknownError,
    VisitorTokenRefusedError,
)
from workers.giosg.calls.request import CallName
from workers.giosg.watching.standing import ProblemCode

THERE: tuple[ProblemCode, ...] = ("giosg_away",)
PROVEN: Mapping[CallName, tuple[ProblemCode, ...]] = {
    "room": (*THERE, "token_refused", "wrong_room"),
    "enter_room": (*THERE, "wrong_room"),
    "chat": (*THERE, "token_refused"),
    "memberships": (*THERE, "token_refused"),
    "set_variable": (*THERE, "token_refused"),
}
"""What is not so where that call succeeds; of any other it is known that giosg is there."""


def problem_in(error: ChannelError | None) -> ProblemCode | None:
    """What a failed call tells to be wrong with the connection, None where it is the call's own affair."""
    match error:
        case None | VisitorTokenRefusedError() | ChannelThrottledError() | AnswerUnreadableError():
            return None
        case ChannelAuthFailedError():
            return "token_refused"
        case RoomUnknownError():
            return "wrong_room"
        case ChannelError(retryable=True):
            return "giosg_away"
        case ChannelError():
            return None


def refuted_by(call: CallName, error: ChannelError | None) -> tuple[ProblemCode, ...]:
    """What is not, or no longer, wrong: giosg has answered, be it with a no."""
    if error is None:
        return PROVEN.get(call, THERE)
    return () if problem_in(error) == "giosg_away" else THERE
