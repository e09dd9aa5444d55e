"""The task manage_stubsession, for sessions and for numbers."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.ids import ChannelName
from broker.domain.managing import ManagePhoneLink, read_manage_link
from broker.errors import InvalidBodyError

SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"


def task(channel: str, **members: object) -> dict[str, Any]:
    return {"tasktype": "manage_stubsession", "params": {"platform": channel, channel: {"operation": "set", **members}}}


@pytest.mark.check(31)
def test_check_31_without_hours_and_stubref_it_is_for_24_hours_and_the_sender() -> None:
    found = read_manage_link(ChannelName("webchat"), task("webchat", sessionuuid=SESSION), operation="set")
    assert (found.set_new_with_timeout_hours, found.stubref, found.set_feedback_action) == (24, None, None)


def test_on_a_channel_of_numbers_it_names_number_and_profile() -> None:
    body = task("whatsapp", mobile_number=27820000000, whatsapp_profile_name="stubber_public")
    found = read_manage_link(ChannelName("whatsapp"), body, operation="set")
    assert isinstance(found, ManagePhoneLink)
    assert (found.mobile_number, found.profile_name) == ("27820000000", "stubber_public")


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        pytest.param("webchat", task("webchat"), id="no session"),
        pytest.param("webchat", task("webchat", mobile_number="27820000000"), id="a number where there are none"),
        pytest.param("whatsapp", task("webchat", sessionuuid=SESSION), id="another platform"),
        pytest.param("whatsapp", task("whatsapp", mobile_number="no number"), id="no number"),
        pytest.param("webchat", task("webchat", sessionuuid=SESSION, set_new_with_timeout_hours=0), id="no time"),
        pytest.param("webchat", {"params": {}}, id="nothing"),
    ],
)
def test_what_is_no_task_for_this_channel_is_refused(channel: str, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBodyError):
        read_manage_link(ChannelName(channel), body, operation="set")


def test_the_operation_must_be_the_one_of_the_subject() -> None:
    with pytest.raises(InvalidBodyError, match="operation"):
        read_manage_link(ChannelName("webchat"), task("webchat", sessionuuid=SESSION), operation="delete")
