"""What a call's outcome says of its connection."""

from __future__ import annotations

import pytest

from broker.errors import (
    ChannelAuthFailedError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChannelUnreachableError,
    ChatGoneError,
    RoomUnknownError,
    VisitorTokenRefusedError,
)
from workers.giosg.calls.request import CallName
from workers.giosg.watching.judging import problem_in, refuted_by
from workers.giosg.watching.standing import ProblemCode


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        pytest.param(None, None, id="it was done"),
        pytest.param(ChannelAuthFailedError("giosg", problem="401"), "token_refused", id="the API token"),
        pytest.param(VisitorTokenRefusedError("giosg"), None, id="one visitor's token is no affair of the others"),
        pytest.param(RoomUnknownError("giosg", problem="404"), "wrong_room", id="no such room"),
        pytest.param(ChatGoneError("giosg", problem="404"), None, id="one chat is gone"),
        pytest.param(ChannelRejectedError("giosg", problem="400"), None, id="giosg understood, and would not"),
        pytest.param(ChannelThrottledError("giosg", retry_after_s=1.0), None, id="too many calls"),
        pytest.param(ChannelUnreachableError("giosg", problem="no connection"), "giosg_away", id="nobody there"),
        pytest.param(ChannelSilentError("giosg", problem="no answer"), "giosg_away", id="no answer"),
        pytest.param(ChannelError("giosg", problem="503"), "giosg_away", id="it says itself that it cannot"),
    ],
)
def test_a_failed_call_tells_what_is_wrong_with_the_connection(
    error: ChannelError | None, problem: ProblemCode | None
) -> None:
    assert problem_in(error) == problem


@pytest.mark.parametrize(
    ("call", "error", "refuted"),
    [
        pytest.param("room", None, {"giosg_away", "token_refused", "wrong_room"}, id="the room proves all"),
        pytest.param("chat", None, {"giosg_away", "token_refused"}, id="a chat proves the token"),
        pytest.param("messages", None, {"giosg_away"}, id="visitors list messages as well, by their own token"),
        pytest.param("send", ChatGoneError("giosg", problem="404"), {"giosg_away"}, id="a no is an answer"),
        pytest.param("send", ChannelSilentError("giosg", problem="x"), set(), id="silence proves nothing"),
    ],
)
def test_a_call_shows_what_is_not_wrong(call: CallName, error: ChannelError | None, refuted: set[ProblemCode]) -> None:
    assert set(refuted_by(call, error)) == refuted
