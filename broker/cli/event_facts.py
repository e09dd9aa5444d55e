"""The salient facts of one event, as the few words that fit on a line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from broker.cli.dialog_facts import answer_facts, question_facts, run_question
from broker.codec import to_json
from broker.domain import headers as names
from broker.domain.channels import platform_of
from broker.domain.events import (
    DeadLetter,
    Delivery,
    Linked,
    Receipt,
    StubSession,
    Timeout,
    Typed,
    Unlinked,
    read_notification,
    sender_in,
)
from broker.domain.ids import ChannelName
from broker.domain.incoming import read_visit
from broker.domain.managing import read_manage_link
from broker.domain.phones import PhoneContent, read_phone_notification
from broker.domain.subjects import ConversationSubject, Kind
from broker.domain.webhooks import StoredWebhook
from broker.domain.wire import Body, validate

Headers = Mapping[str, str]


def conversation_facts(subject: ConversationSubject, body: Body, headers: Headers) -> str:
    """What an event of a conversation says.

    Raises:
        BodyError: the body is not what its subject promises.
    """
    channel = subject.path.channel
    match subject.kind:
        case Kind.INITIALIZE:
            read_visit(channel, body)
            return f"{subject.path.chat} of {subject.path.org}"
        case Kind.NOTIFICATION:
            return _notification(channel, body)
        case Kind.SET | Kind.DELETE:
            return _manage(subject.kind, channel, body, headers)
        case Kind.LINKED | Kind.EXPIRED | Kind.CANCELLED | Kind.TIMEOUT | Kind.RECEIPT:
            return _FACTS[subject.kind](body)
        case _:
            return _visitor(channel, body)


def run_facts(body: Body) -> str:
    """What a run hands to a stub: its message, else the event of its question, else the names of its data."""
    post = validate(Delivery, body, what="run").stubpost
    return post.message or run_question(post.data) or ", ".join(post.data)


def webhook_facts(body: Body) -> str:
    """What a call from outside was about, and how it was answered."""
    call = validate(StoredWebhook, body, what="webhook").webhook
    return " ".join(filter(None, (call.kind, call.action, call.resource_id, str(call.status), call.reason)))


def dead_letter_facts(body: Body) -> str:
    """Why it is dead, and which event of which stream it was."""
    letter = validate(DeadLetter, body, what="dead letter")
    return f"{letter.reason}: {letter.detail} ({letter.stream} {letter.sequence}, {letter.subject})"


def _visitor(channel: ChannelName, body: Body) -> str:
    visit = read_visit(channel, body)
    content, payload = visit.content, visit.payload
    if isinstance(content, PhoneContent):
        return content.text or to_json(payload)
    parts = []
    if content.message is not None:
        parts.append(_typed(content.message))
    if content.client_configuration is not None and content.client_configuration.platform_switch is not None:
        switch = content.client_configuration.platform_switch
        parts.append(f"carry on at {switch.platform_name}: {switch.type} {switch.value}")
    if content.attachments:
        parts.append("files " + ", ".join(file.originalname for file in content.attachments))
    if content.control_event is not None:
        parts.append("control " + to_json(content.control_event))
    parts += question_facts(channel, payload)
    if not parts:
        plain = {name for name in payload if name.endswith(("_configuration", "_meta_data"))} | {"sessionuuid"}
        rest = {name: value for name, value in payload.items() if name not in plain}
        parts.append(to_json(rest) if rest else "")
    return "  ".join(parts)


def _typed(message: Typed) -> str:
    if isinstance(message.value, str):
        return message.value
    return f"{message.type} {to_json(message.value)}"


def _notification(channel: ChannelName, body: Body) -> str:
    if platform_of(channel).by_number:
        return " ".join(
            [*_wish(read_phone_notification(channel, body).stubsession), to_json({"platforms": body["platforms"]})]
        )
    content = read_notification(channel, body)
    parts = [*_wish(content.stubsession), *_told_by_desk(content.control_event)]
    if content.message is not None:
        value = content.message.value
        parts.append(value if isinstance(value, str) else f"form {value.form_name}")
    if content.control_event is not None and not _told_by_desk(content.control_event):
        parts.append("control " + to_json(content.control_event))
    if content.client_configuration is not None:
        parts.append("settings " + ", ".join(content.client_configuration))
    return "  ".join([*([" ".join(parts)] if parts else []), *answer_facts(channel, body["platforms"][channel])])


def _told_by_desk(event: Body | None) -> list[str]:
    """What a desk tells, in few words; nothing where the event is a program's own."""
    if event is None or not isinstance(event.get("desk"), str) or not isinstance(event.get("type"), str):
        return []
    agent = event.get("agent")
    name = agent.get("name") if isinstance(agent, dict) else None
    return [f"[{event['type']}{f' {name}' if isinstance(name, str) else ''}]"]


def _wish(wish: StubSession | None) -> list[str]:
    """The link that a notification asks for."""
    if wish is None:
        return []
    action = f" {wish.set_feedback_action}" if wish.set_feedback_action else ""
    return [f"[link {wish.set_new_with_timeout_hours:g} h{action}]"]


def _manage(kind: Kind, channel: ChannelName, body: Body, headers: Headers) -> str:
    if kind is Kind.DELETE:
        only_of = read_manage_link(channel, body, operation="delete").only_of
        return f"by {_sender(body, headers) or 'no stub'}" if only_of is None else f"{only_of} is closed"
    task = read_manage_link(channel, body, operation="set")
    stub = task.stubref or _sender(body, headers) or "nobody named"
    return f"{task.set_new_with_timeout_hours:g} h {stub} {task.set_feedback_action or ''}"


def _sender(body: Body, headers: Headers) -> str | None:
    return headers.get(names.STUB) or sender_in(body)


def _linked(body: Body) -> str:
    fact = validate(Linked, body, what="linked")
    cut = " (the most there is)" if fact.clamped else ""
    instead = f" instead of {fact.replaces}" if fact.replaces else ""
    return f"{fact.timeout_hours:g} h{cut} {fact.stub} {fact.feedback_action}{instead}"


def _unlinked(body: Body) -> str:
    fact = validate(Unlinked, body, what="link fact")
    return f"{fact.reason} {fact.stub} epoch {fact.epoch}"


def _timeout(body: Body) -> str:
    fact = validate(Timeout, body, what="timeout")
    return f"{fact.timer} timer of epoch {fact.epoch}"


def _receipt(body: Body) -> str:
    fact = validate(Receipt, body, what="receipt")
    reason = f": {fact.reason}" if fact.reason else ""
    return f"notification {fact.notification} {fact.status}{reason}"


_FACTS: dict[Kind, Callable[[Body], str]] = {
    Kind.LINKED: _linked,
    Kind.EXPIRED: _unlinked,
    Kind.CANCELLED: _unlinked,
    Kind.TIMEOUT: _timeout,
    Kind.RECEIPT: _receipt,
}
