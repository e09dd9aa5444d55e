"""The task heimdall_emit: which events it asks for, and what it may not ask for."""

from __future__ import annotations

import pytest

from broker.domain.emitting import PATHS_MAX, read_emit
from broker.domain.wire import Body
from broker.errors import (
    BackboneError,
    ForbiddenError,
    InvalidBodyError,
    InvalidNameError,
    InvalidSubjectError,
    NotEmittableError,
)
from tests.unit.broker.domain.wishes import CONFIGURATION, FIRST, ORG, OTHER_ORG, P, S

NOTICE = f"{P}.sessionuuid.{S}.webchatmessagetype.notice"
DATA: Body = {"webchat": {"sessionuuid": S, "webchat_control_event": {"paid": True}}}


def test_an_event_is_emitted_on_its_path_under_its_mechanism_with_the_data_in_heimdall() -> None:
    [emission] = read_emit({"path": NOTICE, "mechanism": "evb", "data": DATA}, org=ORG)
    assert (emission.subject, emission.mechanism, emission.body) == (NOTICE, "evb", {"heimdall": DATA})
    assert emission.conversation.session == S


def test_several_paths_are_taken_in_their_order_and_the_single_one_is_left_aside() -> None:
    strings = [f"evt|{NOTICE}", f"*|{FIRST}"]
    found = read_emit({"path": "x", "mechanism": "cbh", "path_strings": strings, "data": DATA}, org=ORG)
    assert [(one.mechanism, one.subject) for one in found] == [("evt", NOTICE), ("*", FIRST)]


def test_a_doubled_session_pair_is_emitted_once() -> None:
    doubled = CONFIGURATION.replace(f"sessionuuid.{S}", f"sessionuuid.{S}.sessionuuid.{S}")
    [emission] = read_emit({"path": doubled, "mechanism": "*", "data": DATA}, org=ORG)
    assert emission.subject == CONFIGURATION


def test_a_session_may_be_opened() -> None:
    path = f"{P}.webchatmessagetype.initialize"
    [emission] = read_emit({"path": path, "mechanism": "*", "data": DATA}, org=ORG)
    assert (emission.subject, emission.conversation.session) == (path, S)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{P}.sessionuuid.#.webchatmessagetype.notice", id="heimdall's one level"),
        pytest.param(f"{P}.*", id="heimdall's anything deeper"),
        pytest.param(f"{P}.>", id="NATS's anything deeper"),
    ],
)
def test_a_wildcard_is_refused_and_told_why(path: str) -> None:
    with pytest.raises(NotEmittableError, match="without wildcards; those are for registrations"):
        read_emit({"path": path, "mechanism": "*", "data": DATA}, org=ORG)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        pytest.param({"path": NOTICE, "data": DATA}, InvalidBodyError, id="no mechanism"),
        pytest.param({"mechanism": "evt", "data": DATA}, InvalidBodyError, id="no path"),
        pytest.param({"path": NOTICE, "mechanism": "evt"}, InvalidBodyError, id="no data"),
        pytest.param({"path": NOTICE, "mechanism": "all", "data": DATA}, InvalidBodyError, id="no such mechanism"),
        pytest.param({"path": NOTICE, "mechanism": "evt", "data": {}}, InvalidBodyError, id="data of no channel"),
        pytest.param({"path_strings": [NOTICE], "data": DATA}, InvalidBodyError, id="a string without its mechanism"),
        pytest.param({"path_strings": [], "data": DATA}, InvalidBodyError, id="no string"),
        pytest.param(
            {"path_strings": [f"evt|{NOTICE}"] * (PATHS_MAX + 1), "data": DATA}, InvalidBodyError, id="too many"
        ),
        pytest.param({"path_strings": [f"all|{NOTICE}"], "data": DATA}, InvalidNameError, id="a string with another"),
        pytest.param(
            {"path": NOTICE.replace(S, OTHER_ORG), "mechanism": "*", "data": DATA}, InvalidBodyError, id="two sessions"
        ),
        pytest.param(
            {"path": NOTICE.replace(ORG, OTHER_ORG), "mechanism": "*", "data": DATA}, ForbiddenError, id="another org"
        ),
        pytest.param(
            {"path": f"{P}.sessionuuid.{S}.notification", "mechanism": "*", "data": DATA},
            NotEmittableError,
            id="what a stub says",
        ),
        pytest.param(
            {"path": f"{P}.sessionuuid.{S}.stubsession.linked", "mechanism": "*", "data": DATA},
            NotEmittableError,
            id="a fact",
        ),
        pytest.param(
            {"path": f"stubber.systems.stubs.org.{ORG}.service.a.stubref.b.action.c", "mechanism": "*", "data": DATA},
            InvalidSubjectError,
            id="a run",
        ),
        pytest.param({"path": "global.time.minute", "mechanism": "evt", "data": DATA}, InvalidSubjectError, id="else"),
    ],
)
def test_what_no_adapter_might_publish_is_refused(params: Body, error: type[BackboneError]) -> None:
    with pytest.raises(error):
        read_emit(params, org=ORG)
