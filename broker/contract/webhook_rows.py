"""The rows of what outside systems call us with: one for each way that a call is answered."""

from __future__ import annotations

from broker.contract.row import ORG, Role, Row
from broker.domain.ids import ChannelName, ConnectionName, OrgId
from broker.domain.subjects import WebhookOutcome, WebhookSubject
from broker.domain.webhooks import StoredWebhook, WebhookFacts
from broker.domain.wire import Body, dump

_GIOSG = ChannelName("giosg")
_CHAT = "3d5f7a1c-90be-4a8e-b6a4-5d0c1f2e3a4b"
_MESSAGE = "7c1d2e3f-4a5b-4c6d-8e7f-90a1b2c3d4e5"
_CHANNEL = f"/api/v5/orgs/5f1b7c2e-6d3a-4e8f-9a0b-1c2d3e4f5a6b/owned_chats/{_CHAT}/messages"
_FACTS = WebhookFacts(
    connection="support",
    kind="messages",
    action="added",
    resource_id=_MESSAGE,
    method="POST",
    path="/giosg/support/messages",
    request_id="b3a1f0c29d4e4b5a8c7d6e5f4a3b2c1d",
    received_at_ms=1_735_725_600_000,
    duration_ms=0.4,
    status=200,
    reason="stored",
    size_bytes=412,
)
_CONTENT: Body = {
    "channel": _CHANNEL,
    "action": "added",
    "resource_id": _MESSAGE,
    "resource": {"id": _MESSAGE, "type": "msg", "chat_id": _CHAT, "sender_type": "user", "message": "Hi"},
}
_REFUSED = _FACTS.model_copy(
    update={"action": None, "resource_id": None, "status": 403, "reason": "wrong_secret", "left_out": 17}
)


def _row(outcome: WebhookOutcome, example: StoredWebhook, meaning: str, *remarks: str) -> Row:
    consumers: tuple[Role, ...] = ("adapter", "developer") if outcome == "taken" else ("developer",)
    placeholders = OrgId("<org>"), ChannelName("<channel>"), ConnectionName("<connection>")
    return Row(
        name=f"webhook.{outcome}",
        area="webhooks",
        template=str(WebhookSubject(*placeholders, outcome)),
        sample=str(WebhookSubject(ORG, _GIOSG, ConnectionName("support"), outcome)),
        publishers=("adapter",),
        consumers=consumers,
        stream="WEBHOOKS",
        meaning=meaning,
        model=StoredWebhook,
        example=dump(example),
        remarks=remarks,
    )


WEBHOOK_ROWS: tuple[Row, ...] = (
    _row(
        "taken",
        StoredWebhook(webhook=_FACTS, content=_CONTENT),
        "A call that will be worked on: stored before it was answered, once however often it comes.",
        "`content` is the call's body as it was verified; tokens that came with it are left out.",
    ),
    _row(
        "passed",
        StoredWebhook(webhook=_FACTS.model_copy(update={"reason": "foreign_chat"})),
        "A call that was answered as taken, and is nothing to work on: known already, or not about us.",
        "Too many in one second are counted only: `left_out` of the next one says how many.",
    ),
    _row(
        "refused",
        StoredWebhook(webhook=_REFUSED),
        "A call that was not taken, with the status that said so.",
        "Too many in one second are counted only: `left_out` of the next one says how many.",
    ),
)
