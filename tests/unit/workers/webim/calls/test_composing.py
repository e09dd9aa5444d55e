"""The answer of a v1 call, by table."""

from __future__ import annotations

from typing import Literal

import pytest

from broker.domain.outside_json import Json
from workers.webim.calls.composing import Composed, compose
from workers.webim.chat.endings import QUEUE, Target
from workers.webim.sending.messages import Action, Operator
from workers.webim.sending.steps import Plan

SOLD: Json = {"type": "redirect_to_department", "department_key": "sales"}
CLOSED: Json = {"type": "close_chat"}
HI = Operator(text="Hi!")
SHOWN: Json = {"kind": "operator", "text": "Hi!"}
TO_OPERATOR = Action(type="redirect_to_operator", operator_id="7")
TO_DEPARTMENT = Action(type="redirect_to_department", department_key="sales")
TO_QUEUE = Action(type="redirect_to_queue")
CLOSE = Action(type="close_chat")
TOLD: Json = {"type": "redirect_to_operator", "operator_id": "7"}


@pytest.mark.parametrize(
    ("plans", "mode", "quiet", "expected"),
    [
        pytest.param([], "emit", False, Composed({"has_answer": False}, QUEUE), id="silence goes to the queue"),
        pytest.param([Plan()], "emit", False, Composed({"has_answer": False}, QUEUE), id="so does nothing to show"),
        pytest.param(
            [], "emit", True, Composed({"has_answer": True, "messages": []}), id="a silent start stays with the bot"
        ),
        pytest.param(
            [Plan((HI,)), Plan((HI,))],
            "emit",
            False,
            Composed({"has_answer": True, "messages": [SHOWN, SHOWN]}),
            id="several parts are one answer",
        ),
        pytest.param(
            [Plan((HI,), ends=True)],
            "queue",
            False,
            Composed({"has_answer": True, "messages": [SHOWN]}, "end_session"),
            id="the session ends with the answer",
        ),
        pytest.param(
            [Plan((HI, TO_OPERATOR))],
            "emit",
            False,
            Composed({"has_answer": True, "messages": [SHOWN], "actions": [TOLD]}, Target("operator", "7")),
            id="a redirect is told",
        ),
        pytest.param(
            [Plan((TO_OPERATOR,))],
            "emit",
            False,
            Composed({"has_answer": False, "actions": [TOLD]}, Target("operator", "7")),
            id="a redirect without messages has no answer",
        ),
        pytest.param(
            [Plan((TO_OPERATOR,))],
            "emit",
            True,
            Composed({"has_answer": True, "messages": [], "actions": [TOLD]}, Target("operator", "7")),
            id="a silent start may redirect",
        ),
        pytest.param(
            [Plan((HI, TO_DEPARTMENT)), Plan((CLOSE,))],
            "emit",
            False,
            Composed(
                {"has_answer": True, "messages": [SHOWN], "actions": [SOLD]},
                Target("department", "sales"),
            ),
            id="the first action is final",
        ),
        pytest.param(
            [Plan((HI, CLOSE))],
            "emit",
            False,
            Composed({"has_answer": True, "messages": [SHOWN], "actions": [CLOSED]}, "bot"),
            id="a close is told",
        ),
        pytest.param(
            [Plan((HI, TO_QUEUE))],
            "queue",
            False,
            Composed({"has_answer": False}, QUEUE),
            id="where actions are not understood, a redirect is no answer",
        ),
        pytest.param(
            [Plan((HI, CLOSE))],
            "queue",
            False,
            Composed({"has_answer": True, "messages": [SHOWN]}, None, "close_chat"),
            id="and a close is an ordinary answer",
        ),
    ],
)
def test_everything_that_was_said_is_one_answer(
    plans: list[Plan], mode: Literal["emit", "queue"], *, quiet: bool, expected: Composed
) -> None:
    assert compose(plans, v1_actions=mode, quiet=quiet) == expected
