"""Pure: what programs said to one question, as the answer of a v1 call, and what becomes of the chat with it.

Source: specs/webim.md sections 3.1.4, 3.2.4, 4.3 and 5.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from broker.domain.outside_json import Json
from broker.domain.wire import dump
from workers.webim.chat.endings import QUEUE, Target
from workers.webim.sending.messages import Action
from workers.webim.sending.steps import Plan

NO_ANSWER: Json = {"has_answer": False}
NOTHING_TO_SAY: Json = {"has_answer": True, "messages": []}


@dataclass(frozen=True, slots=True)
class Composed:
    """The body, and what follows: the chat goes to somebody, its session ends, or (None) the bot keeps it.

    ``unsupported``: an action that Webim is not told of, as the channel is set.
    """

    body: Json
    follows: Target | Literal["bot", "end_session"] | None = None
    unsupported: str | None = None


def compose(plans: Sequence[Plan], *, v1_actions: Literal["emit", "queue"], quiet: bool) -> Composed:
    """One answer of everything that was said, in its order; the first action is final.

    ``quiet``: it is the start of a chat that is answered, and a chat that is not answered stays with the bot.
    """
    messages: list[JsonValue] = [dump(step) for plan in plans for step in plan.steps if not isinstance(step, Action)]
    action = next((plan.action for plan in plans if plan.action is not None), None)
    has_answer = bool(messages) or quiet
    body: Json = {"has_answer": True, "messages": messages} if has_answer else dict(NO_ANSWER)
    if action is not None and (v1_actions == "emit" or action.type != "close_chat"):
        if v1_actions == "queue":
            return Composed(dict(NO_ANSWER), QUEUE)
        target = _target(action)
        return Composed({**body, "actions": [dump(action)]}, "bot" if target is None else target)
    unsupported = None if action is None else action.type
    if not has_answer:
        return Composed(body, QUEUE, unsupported)
    ends = any(plan.ends for plan in plans)
    return Composed(body, "end_session" if ends else None, unsupported)


def _target(action: Action) -> Target | None:
    """Whom the chat goes to, None if it is closed."""
    match action.type:
        case "redirect_to_operator":
            return Target("operator", action.operator_id)
        case "redirect_to_department":
            return Target("department", action.department_key)
        case "redirect_to_queue":
            return QUEUE
        case "close_chat":
            return None
