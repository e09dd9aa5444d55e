"""What a question or an answer of a dialog says, as the few words that fit on a line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from broker.codec import to_json
from broker.domain.dialogs import NEWS, DialogRequest, request_in, response_in
from broker.domain.ids import ChannelName
from broker.domain.wire import Body

_NOT_OF_AN_ACTION = "type"


def question_facts(channel: ChannelName, payload: Body) -> list[str]:
    """What a question says beside its query, which stands in the message as well; empty if there is no question.

    The channel's own request is left out: it is as long as it likes, and ``heimdall tap --json`` has it.

    Raises:
        InvalidBodyError: the question does not validate.
    """
    request = request_in(channel, payload)
    return [] if request is None else list(_question(request))


def answer_facts(channel: ChannelName, payload: Body) -> list[str]:
    """What an answer says, its replies first; empty if there is none.

    Raises:
        InvalidBodyError: the answer does not validate.
    """
    answer = response_in(channel, payload)
    if answer is None:
        return []
    parts = [_reply(reply) for reply in answer.replies]
    parts += [f"[{_action(action)}]" for action in answer.actions]
    if answer.newSessionStarted:
        parts.append("[new session]")
    if answer.endSession:
        parts.append("[ends the session]")
    return parts or ["(no replies)"]


def run_question(data: Body) -> str:
    """The event that a run's data tell, empty if they tell none."""
    for found in (*data.values(), *(data["heimdall"].values() if isinstance(data.get("heimdall"), dict) else ())):
        for name, value in found.items() if isinstance(found, dict) else ():
            if name.endswith("_request") and isinstance(value, dict) and isinstance(value.get("event"), str):
                return f"event {value['event']}"
    return ""


def _question(request: DialogRequest) -> Iterator[str]:
    if request.event is not None:
        yield f"event {request.event}"
    if request.event in NEWS and isinstance(request.event_data, dict):
        yield _news(request.event_data)
    if request.data is not None and request.data.files:
        yield "files " + ", ".join(str(file.get("name", "?")) for file in request.data.files)
    if request.data is not None and request.data.button is not None:
        yield f"[button {request.data.button.id or request.data.button.text}]"
    if request.new_session:
        yield "[new session]"


def _news(told: Body) -> str:
    match told:
        case {"author": str(author), "text": str(text)} if text:  # of a dialog with an operator
            return f"{author}: {text}"
        case _:
            return to_json(told)


def _reply(reply: Body) -> str:
    match reply:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "buttons" | "inlineButtons", "buttons": list(buttons)}:
            return f"[{reply['type']} {', '.join(_labels(buttons))}]"
        case {"type": str(kind)}:
            return f"[{' '.join([kind, *_values(reply)])}]"
        case _:
            return "[?]"


def _labels(buttons: list[Any]) -> Iterator[str]:
    for button in buttons:
        if isinstance(button, list):
            yield from _labels(button)
        else:
            yield str(button.get("text", "?")) if isinstance(button, dict) else "?"


def _action(action: Body) -> str:
    return " ".join([str(action.get("type", "?")), *_values(action)])


def _values(found: Body) -> list[str]:
    return [value for name, value in found.items() if name != _NOT_OF_AN_ACTION and isinstance(value, str)]
