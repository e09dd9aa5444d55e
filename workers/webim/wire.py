"""Webim's calls before anything is made of them: strict JSON, and every way in which a call is refused.

Source: specs/webim.md sections 3.1 and 6.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.codec import EVENT_DEPTH_MAX

BODY_BYTES_MAX = 1 << 20
CARRIED_NESTING_MAX = EVENT_DEPTH_MAX - 4
"""Of a call's body inside an event, where it stands four levels deep already."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a refused call is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


REFUSALS: Mapping[str, Refusal] = {
    "method_not_allowed": Refusal(405, {"Allow": "POST"}),
    "unknown_channel": Refusal(404),
    "unauthorized": Refusal(401, {"WWW-Authenticate": 'Basic realm="webim", charset="UTF-8"'}),
    "unknown_handler": Refusal(404),
    "payload_too_large": Refusal(413),
    "unsupported_media_type": Refusal(415),
    "unsupported_bot_api_version": Refusal(404),
    "bot_api_v2_not_configured": Refusal(404),
    "invalid_json": Refusal(400),
    "invalid_body": Refusal(400),
    "bad_event": Refusal(400),
    "channel_not_deployed": Refusal(503, {"Retry-After": "30"}),
    "bad_chat_id": Refusal(400),
    "bad_visitor": Refusal(400),
    "bad_messages": Refusal(400),
    "bad_message": Refusal(400),
    "backbone_unavailable": Refusal(503, {"Retry-After": "5"}),
    "internal": Refusal(500),
}
"""Every refusal, in the order of the checks: the first that fails answers, and nothing is published for any.

Source: specs/webim.md section 6.1.
"""
