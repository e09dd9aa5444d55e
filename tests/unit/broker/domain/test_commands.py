"""The bodies of the commands, with their defaults and limits."""

from __future__ import annotations

import pytest

from broker.domain.commands import (
    TRANSCRIPT_EVENTS_MAX,
    CreateProfile,
    Deregister,
    ListLinks,
    ListProfiles,
    ListRegistrations,
    ReadTranscript,
    ShowSession,
)
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError

S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"


@pytest.mark.parametrize("model", [ListLinks, ListProfiles, ListRegistrations])
def test_a_list_needs_nothing_said(model: type[Wire]) -> None:
    assert validate(model, {}, what="command") == model()


def test_what_is_left_out_has_its_default() -> None:
    found = validate(ReadTranscript, {"sessionuuid": S}, what="transcript")
    assert (found.after, found.limit) == (0, 200)
    created = validate(CreateProfile, {"name": "shop"}, what="profilecreate")
    assert (created.branch, created.stub, created.title, created.opening_message) == ("draft", None, None, None)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        pytest.param(Deregister, {}, id="deregister nothing"),
        pytest.param(ShowSession, {"sessionuuid": "x"}, id="a session that is no uuid"),
        pytest.param(ReadTranscript, {"sessionuuid": S, "after": -1}, id="before the beginning"),
        pytest.param(ReadTranscript, {"sessionuuid": S, "limit": 0}, id="no events"),
        pytest.param(ReadTranscript, {"sessionuuid": S, "limit": TRANSCRIPT_EVENTS_MAX + 1}, id="too many events"),
        pytest.param(CreateProfile, {"name": "shop", "branch": "main"}, id="a branch that is none"),
        pytest.param(ListLinks, {"stub": "a b"}, id="a stub that is none"),
    ],
)
def test_a_command_that_does_not_validate_is_refused(model: type[Wire], body: Body) -> None:
    with pytest.raises(InvalidBodyError):
        validate(model, body, what="command")
