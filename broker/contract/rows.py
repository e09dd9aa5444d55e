"""The table of all subjects, and the row that describes a given one."""

from __future__ import annotations

from broker.contract.backbone_rows import BACKBONE_ROWS
from broker.contract.channel_rows import CHANNEL_ROWS
from broker.contract.command_rows import COMMAND_ROWS
from broker.contract.conversation_rows import CONVERSATION_ROWS
from broker.contract.row import Row
from broker.contract.webhook_rows import WEBHOOK_ROWS
from broker.domain.subjects import (
    AnySubject,
    ChannelCommandSubject,
    CommandSubject,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    SignalSubject,
    TimerSubject,
    WebhookSubject,
)

ROWS: tuple[Row, ...] = (*CONVERSATION_ROWS, *BACKBONE_ROWS, *WEBHOOK_ROWS, *COMMAND_ROWS, *CHANNEL_ROWS)

_NAMES: dict[type[AnySubject], str] = {
    DeliverySubject: "run",
    DueSubject: "due timer",
    DeadLetterSubject: "dead letter",
}
_BY_NAME = {row.name: row for row in ROWS}


def row_of(subject: AnySubject) -> Row:
    """The row that describes a parsed subject; every one has a row."""
    match subject:
        case ConversationSubject():
            name = str(subject.kind)
        case SignalSubject():
            name = subject.signal
        case DeliverySubject() | DueSubject() | DeadLetterSubject():
            name = _NAMES[type(subject)]
        case TimerSubject():
            name = f"{subject.kind} timer"
        case CommandSubject():
            name = subject.verb
        case ChannelCommandSubject():
            name = f"channel.{subject.verb}"
        case WebhookSubject():
            name = f"webhook.{subject.outcome}"
    return _BY_NAME[name]
