"""Carries out what a v1 bot answered to a delivery; whatever is no good answer sends the chat to the queue.

Source: specs/webim.md sections 3.1.4, 3.2.4 and 9.2.
"""

from __future__ import annotations

import json
from typing import Any

from tests.standins.webim.bot_api import CallError, redirect_to_department, redirect_to_operator, say
from tests.standins.webim.strictness import wrong_in_v1_answer
from tests.standins.webim.world import BOT, QUEUE, Body, Chat, World

OK = 200


def apply(world: World, chat: Chat, delivery: Body) -> None:
    """The answer to the last attempt of one delivery, good or bad."""
    if chat.owner != BOT:
        return
    answer = _parsed(delivery["answer"]) if delivery["status"] == OK else None
    if answer is not None and (problem := wrong_in_v1_answer(answer)):
        world.violations.append({"path": delivery["url"], "problem": problem})
        answer = None
    if answer is None:
        _to_queue(world, chat)
        return
    for message in answer.get("messages", []):
        say(world, chat, message)
    actions = answer.get("actions", []) if world.configuration.profile == "v1-actions" else []
    if actions:
        _act(world, chat, actions[0])
    elif not answer["has_answer"]:
        _to_queue(world, chat)


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return "no JSON"


def _act(world: World, chat: Chat, action: Body) -> None:
    """The first action is final; one that fails leaves the chat with the bot."""
    try:
        if action["type"] == "redirect_to_operator":
            redirect_to_operator(world, chat, int(action["operator_id"]))
        elif action["type"] == "redirect_to_department":
            redirect_to_department(world, chat, action["department_key"])
        elif action["type"] == "redirect_to_queue":
            _to_queue(world, chat)
        else:
            chat.category = action.get("category")
            chat.sub_category = action.get("sub_category")
            world.close(chat, "bot")
    except (CallError, ValueError) as error:
        world.violations.append({"path": "v1 answer", "problem": f"{action['type']}: {error}"})


def _to_queue(world: World, chat: Chat) -> None:
    chat.owner = QUEUE
    world.touch(chat)
