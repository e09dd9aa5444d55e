"""Pure: what is wrong with a body that a bot sent us; the first thing found, in words, None if nothing is.

Source: specs/webim.md sections 3.1.4, 3.2 and 9.1.
"""

from __future__ import annotations

from typing import Any

Found = str | None

SEND = "send_message"
REDIRECT = "redirect_chat"
CLOSE = "close_chat"
METHODS = (SEND, REDIRECT, CLOSE)

_KEYS = {
    SEND: {"chat_id", "message"},
    REDIRECT: {"chat_id", "operator_id", "dep_key"},
    CLOSE: {"chat_id"},
}
_ACTIONS = {
    "redirect_to_operator": {"operator_id"},
    "redirect_to_department": {"department_key"},
    "redirect_to_queue": set[str](),
    "close_chat": {"category", "sub_category"},
}


def wrong_in_call(method: str, body: dict[str, Any]) -> Found:
    """A call of the Bot API whose chat_id was looked at already."""
    if surplus := set(body) - _KEYS[method]:
        return f"{method} has members that Webim does not know: {', '.join(sorted(surplus))}"
    if method == SEND:
        return _wrong_in_message(body.get("message"), "message")
    if method == REDIRECT:
        return _wrong_in_redirect(body)
    return None


def wrong_in_v1_answer(answer: Any) -> Found:
    """The body of a v1 answer."""
    if not isinstance(answer, dict):
        return "the answer is no object"
    if not isinstance(answer.get("has_answer"), bool):
        return "has_answer is no boolean"
    if surplus := set(answer) - {"has_answer", "messages", "actions"}:
        return f"the answer has members that Webim does not know: {', '.join(sorted(surplus))}"
    messages = answer.get("messages", [])
    if answer["has_answer"] and "messages" not in answer:
        return "has_answer is true and there are no messages"
    if not isinstance(messages, list):
        return "messages is no array"
    found = (_wrong_in_message(message, f"messages[{place}]") for place, message in enumerate(messages))
    return next((problem for problem in found if problem), None) or _wrong_in_actions(answer)


def _wrong_in_actions(answer: dict[str, Any]) -> Found:
    if "actions" not in answer:
        return None
    actions = answer["actions"]
    if not isinstance(actions, list) or not actions:
        return "actions is no array, or an empty one"
    found = (_wrong_in_action(action, f"actions[{place}]") for place, action in enumerate(actions))
    return next((problem for problem in found if problem), None)


def _wrong_in_action(action: Any, where: str) -> Found:
    if not isinstance(action, dict) or action.get("type") not in _ACTIONS:
        return f"{where} has no type that Webim knows"
    known = _ACTIONS[action["type"]]
    if set(action) - {"type"} - known:
        return f"{where} has members that Webim does not know"
    if action["type"] != "close_chat" and known - set(action):
        return f"{where} has no {', '.join(known)}"
    if any(not isinstance(value, str) or not value for value in action.values()):
        return f"{where} has a member that is no text"
    return None


def _wrong_in_redirect(body: dict[str, Any]) -> Found:
    if "operator_id" in body and "dep_key" in body:
        return "redirect_chat names an operator and a department"
    operator_id = body.get("operator_id", 1)
    if not isinstance(operator_id, int) or isinstance(operator_id, bool) or operator_id <= 0:
        return "operator_id is no integer above 0"
    dep_key = body.get("dep_key", "any")
    if not isinstance(dep_key, str) or not dep_key:
        return "dep_key is no text"
    return None


def _wrong_in_message(message: Any, where: str) -> Found:
    if not isinstance(message, dict):
        return f"{where} is no object"
    kind = message.get("kind")
    if kind == "operator":
        return _wrong_in_text(message, where)
    if kind == "keyboard":
        return _wrong_in_buttons(message, where)
    if kind == "file_operator":
        return _wrong_in_file(message, where)
    return f"{where}.kind is not one of operator, keyboard, file_operator"


def _wrong_in_text(message: dict[str, Any], where: str) -> Found:
    if set(message) != {"kind", "text"}:
        return f"{where} of kind operator has other members than kind and text"
    if not isinstance(message["text"], str) or not message["text"].strip():
        return f"{where}.text is no text, or a blank one"
    return None


def _wrong_in_buttons(message: dict[str, Any], where: str) -> Found:
    if set(message) != {"kind", "buttons"}:
        return f"{where} of kind keyboard has other members than kind and buttons"
    rows = message["buttons"]
    if not isinstance(rows, list) or not rows:
        return f"{where}.buttons is no array, or an empty one"
    for row in rows:
        if not isinstance(row, list) or not row:
            return f"{where}.buttons holds a row that is no array, or an empty one"
        for button in row:
            if not isinstance(button, dict) or set(button) != {"id", "text"}:
                return f"{where}.buttons holds a button that is not id and text"
            if any(not isinstance(value, str) or not value for value in button.values()):
                return f"{where}.buttons holds a button whose id or text is no text"
    return None


def _wrong_in_file(message: dict[str, Any], where: str) -> Found:
    if set(message) != {"kind", "data"}:
        return f"{where} of kind file_operator has other members than kind and data"
    data = message["data"]
    if not isinstance(data, dict):
        return f"{where}.data is no object"
    for name in ("url", "name", "media_type"):
        if not isinstance(data.get(name), str) or not data[name]:
            return f"{where}.data.{name} is no text"
    if not data["url"].startswith(("http://", "https://")):
        return f"{where}.data.url is no http address"
    return None
