import pytest

from workers.webim.collecting.dialog import Dialog, DialogMessage
from workers.webim.sending.looking_up import bot_messages_before, has_acted
from workers.webim.sending.messages import Action, Keyboard, Operator


def said(text: str, kind: str = "operator", operator: str | None = None) -> DialogMessage:
    return DialogMessage(key=text, kind=kind, text=text, operator_id=operator)


@pytest.mark.parametrize(
    ("messages", "known", "expected"),
    [
        pytest.param([said("a"), said("Hi")], 1, (1, True), id="one more, and it is this one"),
        pytest.param([said("a")], 1, (1, False), id="none more"),
        pytest.param([said("a"), said("b")], 1, (2, False), id="one more, and it is another one"),
        pytest.param([said("a"), said("Hi")], 2, (2, False), id="the same words, said before"),
        pytest.param([said("a"), said("Hi", operator="5")], 1, (1, False), id="an operator said it"),
        pytest.param([said("a"), said("Hi"), said("x", kind="visitor")], 1, (1, True), id="a visitor wrote since"),
        pytest.param([], 0, (0, False), id="nothing yet"),
    ],
)
def test_a_message_is_known_in_webims_log(
    messages: list[DialogMessage],
    known: int,
    expected: tuple[int, bool],
) -> None:
    assert bot_messages_before(Dialog("1", tuple(messages)), Operator(text=" Hi"), known=known) == expected


def test_a_keyboard_is_known_by_its_number_and_kind() -> None:
    keyboard = Keyboard.model_validate({"buttons": [[{"id": "1", "text": "A"}]]})
    assert bot_messages_before(Dialog("1", (said("", kind="keyboard"),)), keyboard, known=0) == (0, True)


def test_an_action_is_known_where_webims_log_tells() -> None:
    to_operator = Action(type="redirect_to_operator", operator_id="05")
    assert has_acted(Dialog("1", operator_id="5"), to_operator)
    assert not has_acted(Dialog("1", operator_id="6"), to_operator)
    assert not has_acted(Dialog("1"), Action(type="redirect_to_queue"))
    assert has_acted(Dialog("1", is_closed=True), Action(type="close_chat"))
    assert not has_acted(Dialog("1"), Action(type="close_chat"))
