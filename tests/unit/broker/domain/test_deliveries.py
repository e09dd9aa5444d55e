"""What a stub finds in its stubpost."""

from __future__ import annotations

import pytest

from broker.domain.deliveries import default_feedback_action, owner_run, taker_run
from broker.domain.events import Delivery, read_visitor
from broker.domain.ids import ActionName, ChatName, OrgId, Stub, channel_name
from broker.domain.registrations import Registration
from broker.domain.registry import Taker
from broker.domain.subjects import ChatPath
from broker.domain.wire import Body, validate

S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
O = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"  # noqa: E741 - as the contract writes it
PROFILE = "c2a9d0a4-6b1e-5f7c-8d2a-91e0b3c4d5e6"
WEBCHAT = channel_name("webchat")
DRAFT = ChatName("draftshop")


def run(
    configuration: Body | None = None,
    chat: ChatName = DRAFT,
    profile_uuid: str | None = None,
    **members: object,
) -> Body:
    content: Body = {"sessionuuid": S, **{f"webchat_{name}": value for name, value in members.items()}}
    if configuration is not None:
        content["webchat_configuration"] = configuration
    path = ChatPath(WEBCHAT, OrgId(O), chat)
    return owner_run(path, *read_visitor(WEBCHAT, {"heimdall": {"webchat": content}}), profile_uuid=profile_uuid)


@pytest.mark.check(15)
def test_check_15_the_owner_gets_the_text_as_message_and_the_event_as_incoming_data() -> None:
    body = run(message={"type": "text", "value": "hi"})
    assert body == {
        "stubpost": {
            "message": "hi",
            "data": {
                "_incoming_webchat_data": {
                    "sessionuuid": S,
                    "webchat_message": {"type": "text", "value": "hi"},
                    "webchat_configuration": {"branch": "draft"},
                }
            },
        }
    }
    assert validate(Delivery, body, what="run").stubpost.message == "hi"


@pytest.mark.check(12)
def test_check_12_the_owner_gets_the_pass_through_data_in_their_other_spelling() -> None:
    given = {"orguuid": O, "chatname": "draftshop", "passthroughData": "{'a':'b'}", "profile_uuid": PROFILE}
    incoming = run(given)["stubpost"]["data"]["_incoming_webchat_data"]
    assert incoming["webchat_configuration"] == {
        "branch": "draft",
        "pass_through_data": "{'a':'b'}",
        "profile_uuid": PROFILE,
    }


@pytest.mark.parametrize("configuration", [None, {"orguuid": O, "chatname": "draftshop"}])
def test_the_chats_profile_is_named_where_the_event_names_none(configuration: Body | None) -> None:
    incoming = run(configuration, profile_uuid=PROFILE)["stubpost"]["data"]["_incoming_webchat_data"]
    assert incoming["webchat_configuration"] == {"branch": "draft", "profile_uuid": PROFILE}


def test_the_configuration_names_the_branch_of_the_chat() -> None:
    incoming = run(chat=ChatName("liveshop"))["stubpost"]["data"]["_incoming_webchat_data"]
    assert incoming["webchat_configuration"] == {"branch": "live"}


@pytest.mark.check(14)
def test_check_14_the_owner_gets_a_platform_switch_as_it_came() -> None:
    switch = {"platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}}
    body = run(client_configuration=switch)
    assert body["stubpost"]["message"] == ""
    assert body["stubpost"]["data"]["_incoming_webchat_data"]["webchat_client_configuration"] == switch


def test_the_owner_gets_what_we_do_not_know_too() -> None:
    assert run(weather="sun")["stubpost"]["data"]["_incoming_webchat_data"]["webchat_weather"] == "sun"


@pytest.mark.check(9)
def test_check_09_a_taker_gets_the_event_under_heimdall_over_its_own_data() -> None:
    registration = Registration(
        id="r",
        org=OrgId(O),
        stub=Stub.parse("demo.A"),
        action=ActionName("greet"),
        message="Somebody is here",
        data={"a": 1, "heimdall": "mine"},
        keep=True,
        since=1,
        wishes=(),
    )
    body = taker_run(WEBCHAT, Taker(registration, "opened", "evt"), {"sessionuuid": S})
    assert body == {
        "stubpost": {
            "message": "Somebody is here",
            "data": {"a": 1, "heimdall": {"webchat": {"sessionuuid": S}}, "heimdall_event": "opened"},
        }
    }
    assert registration.data["heimdall"] == "mine"


def test_each_channel_has_its_default_feedback_action() -> None:
    assert default_feedback_action(WEBCHAT) == "_update_from_webchat"
