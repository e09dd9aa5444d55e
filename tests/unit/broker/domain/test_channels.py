"""What is particular to each outside system."""

from __future__ import annotations

import pytest

from broker.domain.channels import platform_of
from broker.domain.ids import ChannelName


@pytest.mark.parametrize(
    ("channel", "action", "key"),
    [
        pytest.param("webchat", "_update_from_webchat", "_incoming_webchat_data", id="webchat"),
        pytest.param("whatsapp", "_update_from_whatsapp", "_incoming_whatsapp_data", id="whatsapp"),
        pytest.param("email", "_update_from_email", "_email_in", id="e-mail has a key of its own"),
        pytest.param("sms", "_update_from_sms", "_incoming_sms_data", id="sms"),
        pytest.param(
            "facebookmessenger",
            "_update_from_facebook_messenger",
            "_incoming_facebook_messenger_data",
            id="a channel is one plain token, its documented names are not",
        ),
        pytest.param("slack", "_update_from_slack", "_incoming_slack_data", id="slack"),
        pytest.param("telegram", "_update_from_telegram", "_incoming_telegram_data", id="telegram"),
        pytest.param("newone", "_update_from_newone", "_incoming_newone_data", id="one that nobody documented"),
    ],
)
def test_each_channel_has_its_default_action_and_its_data_key(channel: str, action: str, key: str) -> None:
    platform = platform_of(ChannelName(channel))
    assert (platform.feedback_action, platform.data_key) == (action, key)


def test_numbers_are_what_visitors_of_two_channels_are_known_by() -> None:
    channels = ["webchat", "whatsapp", "sms", "email", "slack"]
    assert [name for name in channels if platform_of(ChannelName(name)).by_number] == ["whatsapp", "sms"]
