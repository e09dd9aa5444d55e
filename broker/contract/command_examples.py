"""What is asked and answered in the examples of the commands."""

from __future__ import annotations

from uuid import UUID, uuid5

from broker.contract.row import CHAT, ORG, SAMPLE, SESSION, STUB
from broker.domain.subjects import Kind
from broker.domain.wire import Body

REGISTRATION = "3c1f6f0a-9b0e-5a53-9d1c-6b1f0e7d2a44"
REGISTER: Body = {
    "tasktype": "heimdall_register",
    "params": {
        "uuid": REGISTRATION,
        "registration_name": "first_messages",
        "on_trigger_method": "keep",
        "events": {
            "first_message": {
                "path": f"{SAMPLE.path.prefix}.webchatmessagetype.firstmessage",
                "mechanism": "cbh",
                "timeout_seconds": 3600,
            }
        },
        "trigger_stubaction": {"action_name": "create_stub", "stubref": str(STUB), "message": "Somebody writes"},
    },
}
EMIT: Body = {
    "tasktype": "heimdall_emit",
    "params": {
        "path": SAMPLE.subject(Kind.NOTICE),
        "mechanism": "evt",
        "data": {"webchat": {"sessionuuid": SESSION, "webchat_control_event": {"action": "paid", "order": "A-17"}}},
    },
}
LINK: Body = {
    "platform": "webchat",
    "endpoint": SESSION,
    "profile": None,
    "sessionuuid": SESSION,
    "chat_name": CHAT,
    "service": STUB.service,
    "stubref": STUB.ref,
    "feedback_action": "_update_from_webchat",
    "timeout_hours": 24.0,
    "epoch": 1207,
    "expires_at": "2025-01-02T10:00:00.000+00:00",
    "expires_at_ms": 1_735_812_000_000,
    "ttl_seconds": 86_321.5,
}
RECORD: Body = {"channel": "webchat", "org": ORG, "chat_name": CHAT, "created_at_ms": 1_735_725_600_000}
SHOWN: Body = {
    "uuid": REGISTRATION,
    "stub": str(STUB),
    "action": "create_stub",
    "keep": True,
    "until_ms": None,
    "shadowed_by": None,
    "events": {
        "first_message": {
            "mechanism": "cbh",
            "patterns": [
                f"{SAMPLE.path.prefix}.webchatmessagetype.firstmessage",
                f"{SAMPLE.path.prefix}.sessionuuid.*.webchatmessagetype.firstmessage",
            ],
        }
    },
}
PROFILE: Body = {
    "org": ORG,
    "branch": "draft",
    "name": "shop",
    "chat_name": "draftshop",
    "channel": "webchat",
    "profile_uuid": str(uuid5(UUID(ORG), "draftshop")),
    "title": "Help",
}
CLOSED_STUB = "desk.2024-11-12-EFGH"
"""Not the one of the other examples: whoever tries them all goes on with that one."""
STORED: Body = {"sequence": 1212, "duplicate": False}
