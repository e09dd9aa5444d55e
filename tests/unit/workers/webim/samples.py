"""A chat and a channel, for tests that change one thing about them."""

from __future__ import annotations

from typing import Any

from workers.webim.channel import Channel, ChannelSettings
from workers.webim.chat.chats import Chat

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
TOKEN = "access-token-of-the-channel"
SESSION = "6f1c1d4e-2d3b-4c5a-8e9f-0a1b2c3d4e5f"


def a_chat(**changes: Any) -> Chat:
    """An open chat, whose opening is in the log."""
    given = {
        "org": ORG,
        "channel_id": "ch1",
        "chat_id": "c1",
        "session": SESSION,
        "dialect": "2",
        "opening_id": f"{SESSION}-opening",
        "stored": True,
        "opened_at_ms": 0,
        "last_at_ms": 0,
    }
    return Chat.model_validate({**given, **changes})


def a_channel(**settings: Any) -> Channel:
    """A channel with a bot token."""
    given = {"name": "Shop", "domain": "examplecom", "bot_api_token": "token", **settings}
    settled = ChannelSettings.model_validate(given)
    return Channel(id="ch1", org=ORG, access_token=TOKEN, settings=settled, created_at_ms=0)
