"""What is particular to each outside system: its default feedback action, its data key, what its visitors are known by.

Source: specs/stubber-webchat.md sections 5.3 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from broker.domain.ids import ActionName, ChannelName


@dataclass(frozen=True, slots=True)
class Platform:
    """One channel. ``by_number``: a conversation is a phone number and a profile, and the business may begin it."""

    feedback_action: ActionName
    data_key: str
    by_number: bool = False


_SPELLINGS = {"facebookmessenger": "facebook_messenger"}
"""A channel's name is one plain token; the documented action and key spell it otherwise."""
_DATA_KEYS = {"email": "_email_in"}
_BY_NUMBER = frozenset({"whatsapp", "sms"})
_PLATFORMS_MAX = 64
"""Kept ready: a channel's name comes from a subject, so there may be any number of them."""


@lru_cache(_PLATFORMS_MAX)
def platform_of(channel: ChannelName) -> Platform:
    """The channel's particulars; one that no document names follows the common form."""
    spelling = _SPELLINGS.get(channel, channel)
    return Platform(
        feedback_action=ActionName(f"_update_from_{spelling}"),
        data_key=_DATA_KEYS.get(channel, f"_incoming_{spelling}_data"),
        by_number=channel in _BY_NUMBER,
    )
