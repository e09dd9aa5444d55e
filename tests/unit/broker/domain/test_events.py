"""The bodies: exactly the documented payloads, whatever the channel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec import decode, encode, to_json
from broker.domain.events import (
    CHANNELS_MAX,
    Form,
    Plain,
    notification_model,
    read_notification,
    read_visitor,
    sender_in,
    visitor_model,
)
from broker.domain.ids import ChannelName, channel_name
from broker.domain.managing import read_manage_link
from broker.domain.wire import Body, dump
from broker.errors import InvalidBodyError

S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
O = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"  # noqa: E741 - as the contract writes it
WEBCHAT = channel_name("webchat")
FILE: Body = {
    "contentType": "audio/webm",
    "filename": "voicenote.webm",
    "fileuuid": "7a1e5a0c-55d2-5c1b-9a0f-0d4c2b6e8f33",
    "originalname": "voicenote.webm",
}


def visitor(**members: Any) -> Body:
    content = {"sessionuuid": S, **{f"webchat_{name}": value for name, value in members.items()}}
    return {"heimdall": {"webchat": content}}


def notification(**members: Any) -> Body:
    return {"platforms": {"webchat": {"sessionuuid": S, **members}}}


def manage(**members: Any) -> Body:
    content = {"operation": "set", "sessionuuid": S, **members}
    return {"tasktype": "manage_stubsession", "params": {"platform": "webchat", "webchat": content}}


# What a visitor does.


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(visitor(configuration={"orguuid": O, "chatname": "draftshop"}), "", id="initialize"),
        pytest.param(visitor(message={"type": "text", "value": "hello"}), "hello", id="firstmessage"),
        pytest.param(visitor(message={"type": "form", "value": {"form_name": "f"}}), "", id="an answered form"),
        pytest.param(visitor(message={"type": "dance", "value": "x"}), "x", id="an unknown type passes on the way in"),
        pytest.param(visitor(control_event={"page": "tvs"}), "", id="a control event alone"),
        pytest.param(visitor(attachments=[FILE], message={"type": "voice", "value": ""}), "", id="a voice note"),
        pytest.param(
            visitor(
                client_configuration={
                    "platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}
                }
            ),
            "",
            id="configuration",
        ),
    ],
)
def test_a_documented_visitor_payload_is_read_and_written_unchanged(body: Body, text: str) -> None:
    content, payload = read_visitor(WEBCHAT, body)
    assert content.text == text
    assert payload == dump(content) == body["heimdall"]["webchat"]


@pytest.mark.check(12)
@pytest.mark.parametrize("spelling", ["passthroughData", "pass_through_data", "passthrough_data"])
@pytest.mark.parametrize("text", ["{'a':'b'}", '{"a": 1}', "", "  ~~stub.x {{y}} \u2028 🙂\n"])
def test_check_12_pass_through_data_arrive_byte_for_byte(spelling: str, text: str) -> None:
    body = visitor(configuration={spelling: text})
    for data in (encode(body), to_json(body).encode()):
        content, payload = read_visitor(WEBCHAT, decode(data))
        assert content.configuration is not None
        assert content.configuration.pass_through == text
        assert payload["webchat_configuration"][spelling] == text
        assert dump(content)["webchat_configuration"] == {"passthroughData": text}


@given(st.text(max_size=200))
def test_any_pass_through_text_that_can_be_sent_arrives_as_it_was(text: str) -> None:
    content, _ = read_visitor(WEBCHAT, decode(encode(visitor(configuration={"passthroughData": text}))))
    assert content.configuration is not None
    assert content.configuration.pass_through == text


def test_members_that_we_do_not_know_are_kept_in_the_payload() -> None:
    _, payload = read_visitor(WEBCHAT, visitor(weather={"sun": True}))
    assert payload["webchat_weather"] == {"sun": True}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param({}, "heimdall.webchat: an object is required", id="nothing"),
        pytest.param({"heimdall": []}, "heimdall.webchat: an object is required", id="a list where an object belongs"),
        pytest.param({"heimdall": {"webim": {}}}, "heimdall.webchat: an object is required", id="another channel"),
        pytest.param({"heimdall": {"webchat": {}}}, "sessionuuid: Field required", id="no session"),
        pytest.param(
            {"heimdall": {"webchat": {"sessionuuid": "me"}}}, "sessionuuid: expected a lower-case uuid", id="no uuid"
        ),
        pytest.param(visitor(message={"type": "text"}), "webchat_message.value: Field required", id="no value"),
        pytest.param(visitor(message={"type": "text", "value": 5}), "webchat_message.value", id="a number as text"),
        pytest.param(visitor(message={"type": "text", "value": "x" * 65_537}), "at most 65536", id="too long a text"),
        pytest.param(visitor(attachments=[FILE] * 65), "at most 64 items", id="too many files"),
    ],
)
def test_a_visitor_payload_that_does_not_validate_is_refused(body: Body, problem: str) -> None:
    with pytest.raises(InvalidBodyError, match="webchat event does not validate") as refused:
        read_visitor(WEBCHAT, body)
    assert problem in str(refused.value)


# What a stub says.


def test_a_notification_needs_its_session_alone() -> None:
    content = read_notification(WEBCHAT, notification())
    assert (content.agent.name, content.message, content.stubsession) == ("Agent", None, None)


@pytest.mark.check(17)
def test_check_17_a_notification_without_a_stubsession_asks_for_no_link() -> None:
    found = read_notification(WEBCHAT, notification(webchat_message={"type": "text", "value": "hi"}))
    assert found.message == Plain(type="text", value="hi")
    assert found.stubsession is None


@pytest.mark.check(15)
def test_check_15_a_stubsession_says_for_how_long() -> None:
    wish = read_notification(WEBCHAT, notification(stubsession={"set_new_with_timeout_hours": 24})).stubsession
    assert wish is not None
    assert (wish.set_new_with_timeout_hours, wish.set_feedback_action) == (24.0, None)


def test_an_empty_stubsession_is_for_24_hours_with_the_default_feedback_action() -> None:
    wish = read_notification(WEBCHAT, notification(stubsession={})).stubsession
    assert wish is not None
    assert (wish.set_new_with_timeout_hours, wish.set_feedback_action) == (24.0, None)


def test_all_members_of_a_notification_go_together() -> None:
    body = notification(
        webchat_agent={"name": "Support desk"},
        webchat_message={"type": "form", "value": {"form_name": "f", "spec": {"fields": {}}}},
        webchat_client_configuration={"any_label": {"type": "files", "value": {"enable": True}}},
        webchat_control_event={"page": "tvs", "nothing": None},
        stubsession={"set_new_with_timeout_hours": 0.5, "set_feedback_action": "answer"},
    )
    found = read_notification(WEBCHAT, {**body, "conditions": []})
    assert isinstance(found.message, Form)
    assert dump(found) == body["platforms"]["webchat"]


@pytest.mark.check(36)
def test_check_36_a_message_without_an_agent_comes_from_agent() -> None:
    assert dump(read_notification(WEBCHAT, notification()))["webchat_agent"] == {"name": "Agent"}


@pytest.mark.check(38)
def test_check_38_an_unknown_message_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidBodyError) as refused:
        read_notification(WEBCHAT, notification(webchat_message={"type": "buttons", "value": "x"}))
    assert all(known in str(refused.value) for known in ("'text'", "'markdown'", "'html'", "'form'"))


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), "24", True])
def test_hours_that_are_no_time_are_refused(hours: object) -> None:
    for read in (
        lambda: read_notification(WEBCHAT, notification(stubsession={"set_new_with_timeout_hours": hours})),
        lambda: read_manage_link(WEBCHAT, manage(set_new_with_timeout_hours=hours), operation="set"),
    ):
        with pytest.raises(InvalidBodyError, match="set_new_with_timeout_hours"):
            read()


def test_conditions_are_for_the_sender_to_judge() -> None:
    with pytest.raises(InvalidBodyError, match="conditions"):
        read_notification(WEBCHAT, {**notification(), "conditions": ["x"]})


def test_a_link_task_is_read_with_its_defaults() -> None:
    found = read_manage_link(WEBCHAT, manage(), operation="set")
    assert (found.stubref, found.set_new_with_timeout_hours, found.set_feedback_action) == (None, 24.0, None)


def test_a_link_task_on_the_subject_of_the_other_operation_is_refused() -> None:
    with pytest.raises(InvalidBodyError, match="found 'set' on the subject of 'delete'"):
        read_manage_link(WEBCHAT, manage(), operation="delete")


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        pytest.param({"stub": "demo.A"}, "demo.A", id="named"),
        pytest.param({}, None, id="absent"),
        pytest.param({"stub": {"ref": "A"}}, None, id="no text"),
    ],
)
def test_the_sender_of_a_body_typed_by_hand_is_its_stub_member(body: Body, sender: str | None) -> None:
    assert sender_in(body) == sender


# Any channel.


def test_members_carry_the_name_of_their_channel() -> None:
    body: Body = {"heimdall": {"webim": {"sessionuuid": S, "webim_message": {"type": "text", "value": "hi"}}}}
    assert read_visitor(ChannelName("webim"), body)[0].text == "hi"
    assert notification_model(ChannelName("webim")).__name__ == "WebimNotificationContent"


def test_however_many_channels_come_only_some_models_are_kept() -> None:
    for number in range(CHANNELS_MAX + 10):
        visitor_model(ChannelName(f"channel{number}"))
    assert visitor_model.cache_info().currsize <= CHANNELS_MAX
