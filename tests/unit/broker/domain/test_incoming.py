"""From a body on a subject to what the fold needs."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.grammar import parse_conversation
from broker.domain.ids import ActionName, Stub
from broker.domain.incoming import read_event, sender_of
from broker.domain.session import Event, LinkDeleted, LinkSet, NoChange, TimerFired, VisitorEvent
from broker.domain.subjects import Kind
from broker.errors import InvalidBodyError, InvalidNameError, InvalidSubjectError, NoSenderError

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
OTHER = "6c1d8f1f-3b52-4b66-9a8e-7d3a1f9bae22"
CHAT = f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop"
PREFIX = f"{CHAT}.sessionuuid.{SESSION}"
B = Stub.parse("svc.B")


def visitor(session: str = SESSION) -> dict[str, Any]:
    return {"heimdall": {"webchat": {"sessionuuid": session, "webchat_message": {"type": "text", "value": "hi"}}}}


def notification(**members: object) -> dict[str, Any]:
    return {"platforms": {"webchat": {"sessionuuid": SESSION, **members}}}


def managed(operation: str, **members: object) -> dict[str, Any]:
    return {"params": {"platform": "webchat", "webchat": {"operation": operation, "sessionuuid": SESSION, **members}}}


def change(tail: str, body: dict[str, Any], sender: Stub | None = B) -> Event:
    incoming = read_event(parse_conversation(f"{PREFIX}.{tail}"), body, sender)
    assert incoming.visit is None
    assert incoming.conversation.session == SESSION
    return incoming.event(None, lambda _: ())


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(f"{CHAT}.webchatmessagetype.initialize", id="the session is in the body"),
        pytest.param(f"{PREFIX}.webchatmessagetype.message", id="the session is in both"),
    ],
)
def test_what_a_visitor_did_comes_as_a_model_and_as_it_was(subject: str) -> None:
    incoming = read_event(parse_conversation(subject), visitor(), None)
    assert incoming.visit is not None
    assert incoming.visit.content.text == "hi"
    assert incoming.visit.payload == visitor()["heimdall"]["webchat"]
    assert incoming.conversation.session == SESSION
    event = incoming.event(B, lambda _: ())
    assert isinstance(event, VisitorEvent)
    assert (event.fallback, event.takers(Kind.MESSAGE)) == (B, ())


def test_a_notification_without_a_stubsession_changes_nothing() -> None:
    assert change("notification", notification(), None) == NoChange()


def test_a_notification_with_a_stubsession_asks_for_the_link_of_its_sender() -> None:
    wish = {"set_new_with_timeout_hours": 2, "set_feedback_action": "answer"}
    assert change("notification", notification(stubsession=wish)) == LinkSet(B, 2, ActionName("answer"))


@pytest.mark.parametrize(
    ("stubref", "sender", "owner"),
    [
        pytest.param(None, B, "svc.B", id="nobody named: the sender"),
        pytest.param("C", B, "svc.C", id="a stubref alone is one of the sender's service"),
        pytest.param("desk.C", None, "desk.C", id="a full address needs no sender"),
    ],
)
def test_a_set_names_its_owner(stubref: str | None, sender: Stub | None, owner: str) -> None:
    members = {} if stubref is None else {"stubref": stubref}
    assert change("stubsession.set", managed("set", **members), sender) == LinkSet(Stub.parse(owner), 24, None)


def test_a_delete_and_a_timeout_need_no_sender() -> None:
    assert change("stubsession.delete", managed("delete"), None) == LinkDeleted()
    fired = {"timer": "hold", "epoch": 7, "deadline_at_ms": 1}
    assert change("stubsession.timeout", fired, None) == TimerFired("hold", 7)


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        pytest.param("notification", notification(stubsession={}), id="a notification"),
        pytest.param("stubsession.set", managed("set"), id="a set"),
        pytest.param("stubsession.set", managed("set", stubref="C"), id="a set with a stubref alone"),
    ],
)
def test_a_link_that_nobody_asks_for_is_refused(tail: str, body: dict[str, Any]) -> None:
    with pytest.raises(NoSenderError):
        change(tail, body, None)


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        pytest.param("webchatmessagetype.message", visitor(OTHER), id="a visitor's event"),
        pytest.param("notification", {"platforms": {"webchat": {"sessionuuid": OTHER}}}, id="a notification"),
        pytest.param("stubsession.set", managed("set", sessionuuid=OTHER), id="a set"),
        pytest.param("stubsession.delete", managed("delete", sessionuuid=OTHER), id="a delete"),
    ],
)
def test_a_body_that_speaks_of_another_session_is_refused_without_quoting_it(tail: str, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        read_event(parse_conversation(f"{PREFIX}.{tail}"), body, B)
    assert OTHER not in str(caught.value)


def test_a_task_for_another_platform_than_its_subject_is_refused() -> None:
    body = managed("set")
    body["params"]["platform"] = "whatsapp"
    with pytest.raises(InvalidBodyError, match=r"params\.platform"):
        change("stubsession.set", body)


@pytest.mark.parametrize("tail", ["stubsession.linked", "stubsession.expired", "stubsession.cancelled", "receipt"])
def test_facts_are_not_folded(tail: str) -> None:
    with pytest.raises(InvalidSubjectError, match="not folded"):
        read_event(parse_conversation(f"{PREFIX}.{tail}"), {}, B)


def test_the_sender_is_in_the_header_or_in_the_body_typed_by_hand() -> None:
    assert sender_of({}, {}) is None
    assert sender_of({"stub": "svc.C"}, {}) == Stub.parse("svc.C")
    assert sender_of({"stub": "svc.C"}, {"Heimdall-Stub": "svc.B"}) == B
    with pytest.raises(InvalidNameError):
        sender_of({"stub": "nobody"}, {})
