"""What the callback of a dialog gets: the question, what the session knows, and the answer in the making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.domain.dialogs import DialogRequest, DialogResponse, RequestData
from broker.domain.wire import validate
from broker.kit.run import Run

Button = str | Mapping[str, str]
"""Its text alone, or ``text`` and what else a channel knows of it, such as ``id``."""

STATE_AT_FIRST = "new"


@dataclass(slots=True)
class EndedDialog:
    """What ``on_end`` gets: there is nobody left to answer.

    ``session`` is what the session knew until now; ``reason`` is the channel's word for the end, such as ``idle``.
    """

    run: Run
    session: dict[str, Any]
    reason: str


class Dialog:
    """One question and its answer; what is replied is shown in that order, then the first action is carried out.

    Attributes:
        query: what the visitor said, or the text of a pressed button; None if this is an event.
        event: the event's name, such as ``newChatStarted``; None if this is a query.
        event_data: what belongs to the event; with ``newChatStarted`` the channel's whole first request.
        raw_request: the channel's request as it came; None where the channel made none.
        data: the question in parts: ``messages``, ``files``, ``button``.
        new_session: whether the session begins with this question.
        user_from: who asks, as far as the channel tells: ``id``, ``firstName`` and so on.
        visitor_id: the channel's own id of the visitor, None if it is not known.
        channel_id: which channel of the org it came in by.
        branch: the version of this program that the session began with, by the name that the channel asked for.
        commit: the same, exactly; None, as with ``branch``, where nobody manages versions.
        question_id: the id that the answer will bear.
        session: what the session knows: JSON values under names of your own, kept until the session ends.
        run: everything else that a program can do; ``run.memory`` outlasts ``start_new_session()``.
    """

    def __init__(self, run: Run, request: DialogRequest, session: dict[str, Any]) -> None:
        self.query = request.query
        self.event = request.event
        self.event_data: Any = request.event_data
        self.raw_request: Any = request.raw_request
        self.data = request.data or RequestData(chatId=request.conversation_id)
        self.new_session = request.new_session
        self.user_from = request.user_from
        self.visitor_id = request.visitor_id
        self.channel_id = request.channel_id
        self.branch = request.branch
        self.commit = request.commit
        self.question_id = request.question_id
        self.session = session
        self.run = run
        self._replies: list[dict[str, Any]] = []
        self._actions: list[dict[str, Any]] = []
        self._starts_anew = False
        self._ends = False

    @property
    def state(self) -> str:
        """Where the dialog stands, free text, kept between questions; a reaction to newChatStarted cannot change it."""
        return self.run.state

    @state.setter
    def state(self, state: str) -> None:
        self.run.state = state

    def reply(self, text: str) -> None:
        """Say something."""
        self.raw({"type": "text", "text": text})

    def buttons(self, *buttons: Button | Sequence[Button]) -> None:
        """Show buttons, each in a row of its own; a list is a row of several. A pressed one is the next query."""
        self.raw({"type": "buttons", "buttons": _rows(buttons)})

    def inline_buttons(self, *buttons: Button | tuple[str, str]) -> None:
        """Show buttons below what was said last; a pair of a text and an address opens the address."""
        shown = [{"text": one[0], "url": one[1]} if isinstance(one, tuple) else _button(one) for one in buttons]
        self.raw({"type": "inlineButtons", "buttons": shown})

    def image(self, url: str, text: str | None = None) -> None:
        """Show a picture, and a text with it."""
        self.raw({"type": "image", "imageUrl": url, **({} if text is None else {"text": text})})

    def link(self, url: str) -> None:
        """Show an address."""
        self.raw({"type": "link", "url": url})

    def switch(self, destination: str | None = None) -> None:
        """Hand over to people: to a department, or to whoever is free."""
        self.raw({"type": "switch", **({} if destination is None else {"destination": destination})})

    def raw(self, reply: Mapping[str, Any]) -> None:
        """Reply with something that the channel knows and the kit does not; a channel drops what it cannot show."""
        self._replies.append(dict(reply))

    def redirect_to_operator(self, operator_id: str | int) -> None:
        """Give the chat to one operator."""
        self._actions.append({"type": "redirect_to_operator", "operator_id": str(operator_id)})

    def redirect_to_department(self, department_key: str) -> None:
        """Give the chat to a department."""
        self._actions.append({"type": "redirect_to_department", "department_key": department_key})

    def redirect_to_queue(self) -> None:
        """Give the chat to whichever operator is free first."""
        self._actions.append({"type": "redirect_to_queue"})

    def close_chat(self, *, category: str | None = None, sub_category: str | None = None) -> None:
        """Close the chat; the categories reach only channels that take some."""
        named = {"category": category, "sub_category": sub_category}
        self._actions.append({"type": "close_chat", **{name: value for name, value in named.items() if value}})

    def start_new_session(self) -> None:
        """Begin anew: what the session knew, and the state, are forgotten; this question is the first of the new one.

        The conversation stays what it is: the same chat, the same stub.
        Source: JAICP "startSession", https://help.cloud.just-ai.com/en/jaicp/JS_API/built_in_services/jsapi/startSession
        """
        self.session = {}
        self.state = STATE_AT_FIRST
        self._starts_anew = True

    def end_session(self) -> None:
        """End the session after this answer; the chat stays open, and its next message begins another."""
        self._ends = True

    def answer(self) -> DialogResponse:
        """All of it as the channel gets it.

        Raises:
            InvalidBodyError: more than an answer may hold, or what is no JSON value.
        """
        said: dict[str, Any] = {
            "question_id": self.question_id,
            "replies": self._replies,
            "actions": self._actions,
            "newSessionStarted": self._starts_anew,
            "endSession": self._ends,
        }
        return validate(DialogResponse, said, what="answer")


def _rows(buttons: Sequence[Button | Sequence[Button]]) -> list[Any]:
    if all(isinstance(one, str | Mapping) for one in buttons):
        return [_button(one) for one in buttons if isinstance(one, str | Mapping)]
    return [[_button(each) for each in ((one,) if isinstance(one, str | Mapping) else one)] for one in buttons]


def _button(button: Button) -> dict[str, str]:
    return {"text": button} if isinstance(button, str) else dict(button)
