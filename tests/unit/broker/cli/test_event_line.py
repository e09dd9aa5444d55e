from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.event_line import EventLine, Seen
from broker.codec import encode
from broker.contract.rows import ROWS

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
CHAT = f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop"
TALK = f"{CHAT}.sessionuuid.{SESSION}"
STUB = {"stub": "demo.A-1", "stubref": "A-1", "epoch": 7, "expires_at_ms": 9}


def line(subject: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> EventLine:
    data = body if isinstance(body, bytes) else encode(body)
    return EventLine.read(Seen("CONVERSATIONS", subject, data, headers or {}, 12, 1_700_000_000_000))


def visitor(**members: Any) -> dict[str, Any]:
    return {"heimdall": {"webchat": {"sessionuuid": SESSION, **members}}}


def notification(**members: Any) -> dict[str, Any]:
    return {"platforms": {"webchat": {"sessionuuid": SESSION, **members}}}


TEXT = {"type": "text", "value": "hei"}


@pytest.mark.parametrize(
    ("tail", "body", "expected"),
    [
        pytest.param("webchatmessagetype.firstmessage", visitor(webchat_message=TEXT), "hei", id="a visitor's text"),
        pytest.param(
            "webchatmessagetype.configuration",
            visitor(
                webchat_client_configuration={
                    "platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+1"}
                }
            ),
            "carry on at whatsapp: mobile +1",
            id="another platform",
        ),
        pytest.param("webchatmessagetype.ended", visitor(), "", id="nothing more to say"),
        pytest.param("notification", notification(webchat_message=TEXT), "hei", id="a stub's text"),
        pytest.param(
            "notification",
            notification(webchat_message=TEXT, stubsession={"set_new_with_timeout_hours": 24}),
            "[link 24 h] hei",
            id="a wish for a link comes first: the line may be cut",
        ),
        pytest.param(
            "notification",
            notification(
                webchat_message=TEXT,
                webchat_control_event={
                    "type": "agent.message",
                    "desk": "giosg.a",
                    "agent": {"name": "Aino"},
                    "id": "m",
                },
            ),
            "[agent.message Aino] hei",
            id="what a desk tells comes first, too",
        ),
        pytest.param(
            "notification",
            notification(webchat_control_event={"type": "agent.joined", "page": "tvs"}),
            'control {"type":"agent.joined","page":"tvs"}',
            id="a program's own event",
        ),
        pytest.param(
            "notification",
            notification(webchat_message={"type": "form", "value": {"form_name": "address", "spec": {}}}),
            "form address",
            id="a form by its name",
        ),
        pytest.param(
            "stubsession.linked",
            {**STUB, "feedback_action": "_update_from_webchat", "timeout_hours": 24.0, "replaces": "demo.B-2"},
            "24 h demo.A-1 _update_from_webchat instead of demo.B-2",
            id="linked: hours, stub, action, the owner before",
        ),
        pytest.param("stubsession.expired", {**STUB, "reason": "timeout"}, "timeout demo.A-1 epoch 7", id="expired"),
        pytest.param("stubsession.timeout", {"epoch": 7, "deadline_at_ms": 9}, "link timer of epoch 7", id="timeout"),
        pytest.param(
            "receipt",
            {"notification": 5, "status": "failed", "reason": "gone"},
            "notification 5 failed: gone",
            id="receipt",
        ),
        pytest.param(
            "stubsession.delete",
            {"params": {"webchat": {"operation": "delete", "sessionuuid": SESSION}}, "stub": "demo.A-1"},
            "by demo.A-1",
            id="delete",
        ),
    ],
)
def test_the_salient_facts_of_an_event(tail: str, body: dict[str, Any], expected: str) -> None:
    assert line(f"{TALK}.{tail}", body).facts() == expected


WEBIM = TALK.replace("webchat", "webim").replace("draftshop", "livech1")
REQUEST = {
    "channel_id": "ch1",
    "channel_type": "webim",
    "conversation_id": "1",
    "client_id": "1",
    "session_id": SESSION,
    "question_id": "q1",
    "received_at": "2024-01-01T00:00:00Z",
    "raw_request": {"long": "and of no use on a line"},
}


def asked(text: str | None = None, **members: Any) -> dict[str, Any]:
    said = {} if text is None else {"webim_message": {"type": "text", "value": text}}
    return {"heimdall": {"webim": {"sessionuuid": SESSION, "webim_request": {**REQUEST, **members}, **said}}}


def answered(**members: Any) -> dict[str, Any]:
    return {"platforms": {"webim": {"sessionuuid": SESSION, "webim_response": {"question_id": "q1", **members}}}}


@pytest.mark.parametrize(
    ("tail", "body", "expected"),
    [
        pytest.param(
            "webimmessagetype.firstmessage",
            asked("hei", query="hei", new_session=True),
            "hei  [new session]",
            id="a query is shown once",
        ),
        pytest.param(
            "webimmessagetype.message",
            asked("Delivery", query="Delivery", data={"chatId": "1", "button": {"id": "b1", "text": "Delivery"}}),
            "Delivery  [button b1]",
            id="a pressed button",
        ),
        pytest.param(
            "webimmessagetype.notice",
            asked(event="newChatStarted", event_data={"long": "as well"}, new_session=True),
            "event newChatStarted  [new session]",
            id="the first event, without the channel's request",
        ),
        pytest.param(
            "webimmessagetype.notice",
            asked(event="livechatStarted", event_data={"target": "department", "id": "sales"}),
            'event livechatStarted  {"target":"department","id":"sales"}',
            id="news, with what they tell",
        ),
        pytest.param(
            "webimmessagetype.notice",
            asked(event="operatorDialog", event_data={"id": "m1", "author": "agent", "text": "Good day", "kind": "x"}),
            "event operatorDialog  agent: Good day",
            id="what was said to an operator, by whom and what first",
        ),
        pytest.param(
            "webimmessagetype.message",
            asked(event="fileEvent", data={"chatId": "1", "files": [{"name": "a.png"}, {"name": "b.txt"}]}),
            "event fileEvent  files a.png, b.txt",
            id="files by name",
        ),
        pytest.param(
            "notification",
            answered(
                replies=[
                    {"type": "text", "text": "hei"},
                    {"type": "buttons", "buttons": [[{"text": "Yes"}, {"text": "No"}], {"text": "Perhaps"}]},
                    {"type": "image", "imageUrl": "https://a.example.org/b.png"},
                    {"type": 7},
                ],
                actions=[{"type": "redirect_to_department", "department_key": "sales"}, {"type": "close_chat"}],
                newSessionStarted=True,
                endSession=True,
            ),
            "hei  [buttons Yes, No, Perhaps]  [image https://a.example.org/b.png]  [?]"
            "  [redirect_to_department sales]  [close_chat]  [new session]  [ends the session]",
            id="everything that an answer may hold",
        ),
        pytest.param("notification", answered(), "(no replies)", id="an answer with nothing in it"),
        pytest.param(
            "notification",
            {"platforms": {"webim": {"sessionuuid": SESSION, "webim_message": TEXT}}},
            "hei",
            id="a plain message is an answer as well",
        ),
    ],
)
def test_questions_and_answers_are_shown_in_few_words(tail: str, body: dict[str, Any], expected: str) -> None:
    assert line(f"{WEBIM}.{tail}", body).facts() == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"_incoming_webim_data": asked(event="fileEvent")["heimdall"]["webim"]}, id="by the link"),
        pytest.param(asked(event="fileEvent"), id="by a registration"),
    ],
)
def test_a_run_with_an_event_names_it(data: dict[str, Any]) -> None:
    subject = f"stubber.systems.stubs.org.{ORG}.service.shop.stubref.chat-1.action._update_from_webim"
    shown = line(subject, {"stubpost": {"message": "", "data": data}})
    assert shown.facts() == "shop.chat-1 _update_from_webim  event fileEvent"


def test_an_initialize_tells_its_session_from_the_body() -> None:
    shown = line(f"{CHAT}.webchatmessagetype.initialize", visitor())
    assert (shown.kind, shown.session, shown.facts()) == ("initialize", SESSION, f"draftshop of {ORG}")


def test_a_run_tells_its_session_from_its_header() -> None:
    subject = f"stubber.systems.stubs.org.{ORG}.service.demo.stubref.A-1.action._create"
    shown = line(subject, {"stubpost": {"message": "hei", "data": {}}}, {"Heimdall-Conversation": TALK})
    assert (shown.session, shown.facts()) == (SESSION, "demo.A-1 _create  hei")


def test_the_line_has_time_sequence_session_arrow_kind_and_text_in_columns() -> None:
    text = line(f"{TALK}.webchatmessagetype.message", visitor(webchat_message=TEXT)).text().plain
    assert text[8] == "."
    assert text[12:] == f"     12 {SESSION[:8]} → message       hei"


@pytest.mark.parametrize(
    ("subject", "body", "expected"),
    [
        pytest.param(f"{TALK}.notification", b"\xc1", "(cannot be decoded, 1 bytes: undecodable)", id="no msgpack"),
        pytest.param(f"{TALK}.notification", {"a": 1}, '(invalid_body) {"a":1}', id="not what was promised"),
        pytest.param("stubber.systems.notifications.x", {}, "(outside the grammar) stubber.", id="no row"),
    ],
)
def test_what_is_wrong_is_shown_and_never_raised(subject: str, body: dict[str, Any] | bytes, expected: str) -> None:
    assert line(subject, body).facts().startswith(expected)


@given(st.binary(max_size=60), st.sampled_from([row.sample for row in ROWS]))
def test_no_body_on_any_subject_breaks_a_line(data: bytes, subject: str) -> None:
    shown = line(subject, data)
    assert "\n" not in shown.text().plain
    assert shown.record()["subject"] == subject


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_example_of_the_contract_is_shown_without_a_complaint(row: Any) -> None:
    shown = line(row.sample, row.example or {})
    assert shown.problem is None
    assert not shown.facts().startswith("(")
    assert shown.kind != "?"


def test_what_was_a_dead_letter_says_so_and_where_it_was_first() -> None:
    again = line(f"{TALK}.webchatmessagetype.message", visitor(webchat_message=TEXT), {"Heimdall-Redriven": "7"})
    assert again.facts() == "(redriven, was 7) hei"
