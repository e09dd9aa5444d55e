from typing import Any

import pytest

from broker.domain.dialogs import DialogResponse
from broker.domain.events import Form, FormValue, Plain
from broker.domain.wire import Body, dump, validate
from workers.webim.sending.render import BUTTONS_MAX, MESSAGES_MAX, Rendered, render, render_plain

YES_ID = "85a39ab345d672ff"  # of SHA-256 of "Yes", by sha256sum


def rendered(*replies: dict[str, Any], actions: list[dict[str, Any]] | None = None, longest: int = 4000) -> Rendered:
    response = validate(DialogResponse, {"replies": list(replies), "actions": actions or []}, what="answer")
    return render(response, text_characters_max=longest)


def sent(*replies: dict[str, Any], longest: int = 4000) -> list[Body]:
    return [dump(message) for message in rendered(*replies, longest=longest).messages]


def text(value: str) -> Body:
    return {"kind": "operator", "text": value}


def file(url: str, name: str, media_type: str) -> Body:
    return {"kind": "file_operator", "data": {"url": url, "name": name, "media_type": media_type}}


PICTURE = file("https://a.example/p/a.png", "a.png", "image/png")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param({"type": "text", "text": "Hi"}, [text("Hi")], id="text"),
        pytest.param({"type": "text", "text": " \n"}, [], id="blank text is skipped"),
        pytest.param(
            {"type": "buttons", "buttons": [{"text": "Yes"}, {"text": "No", "id": "b2"}]},
            [{"kind": "keyboard", "buttons": [[{"id": YES_ID, "text": "Yes"}], [{"id": "b2", "text": "No"}]]}],
            id="buttons stand one to a row, and one without an id gets that of its text",
        ),
        pytest.param(
            {"type": "buttons", "buttons": [[{"text": "A", "id": "1"}, {"text": "B", "id": 2}]]},
            [{"kind": "keyboard", "buttons": [[{"id": "1", "text": "A"}, {"id": "2", "text": "B"}]]}],
            id="rows stay rows",
        ),
        pytest.param(
            {
                "type": "inlineButtons",
                "buttons": [{"text": "Shop", "url": "https://a.example/"}, {"text": "Yes"}],
            },
            [text("Shop: https://a.example/"), {"kind": "keyboard", "buttons": [[{"id": YES_ID, "text": "Yes"}]]}],
            id="inline buttons with an address become texts, the rest a keyboard",
        ),
        pytest.param(
            {"type": "image", "imageUrl": "https://a.example/p/a.png", "text": "Look"},
            [PICTURE, text("Look")],
            id="an image comes before its text",
        ),
        pytest.param(
            {"type": "image", "imageUrl": "https://a.example"},
            [file("https://a.example", "image", "application/octet-stream")],
            id="an image without a path",
        ),
        pytest.param(
            {"type": "image", "imageUrl": "http://a.example/x.JPG?v=1.gif#y.png"},
            [file("http://a.example/x.JPG?v=1.gif#y.png", "x.JPG", "image/jpeg")],
            id="the name is of the path alone",
        ),
        pytest.param(
            {"type": "image", "imageUrl": "http://a.example/x.svg.gz"},
            [file("http://a.example/x.svg.gz", "x.svg.gz", "application/octet-stream")],
            id="what is packed is no image",
        ),
        pytest.param({"type": "link", "url": "https://a.example/"}, [text("https://a.example/")], id="link"),
    ],
)
def test_check_20_a_reply_becomes_the_messages_that_webim_knows(reply: dict[str, Any], expected: list[Body]) -> None:
    found = rendered(reply)
    assert [dump(message) for message in found.messages] == expected
    assert found.dropped == ()


def test_check_20_replies_keep_their_order() -> None:
    replies = (
        {"type": "text", "text": "one"},
        {"type": "buttons", "buttons": [{"text": "two"}]},
        {"type": "image", "imageUrl": "https://a.example/three.png"},
    )
    assert [message["kind"] for message in sent(*replies)] == ["operator", "keyboard", "file_operator"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param({"type": "carousel"}, ("unsupported_reply", "carousel"), id="a type we do not know"),
        pytest.param({"text": "x"}, ("unsupported_reply", "without a type"), id="no type"),
        pytest.param({"type": ["text"]}, ("unsupported_reply", "without a type"), id="a type that is no text"),
        pytest.param({"type": "text", "text": 5}, ("bad_reply", "text"), id="a text that is none"),
        pytest.param({"type": "buttons", "buttons": "Yes"}, ("bad_reply", "buttons"), id="buttons that are no list"),
        pytest.param({"type": "buttons", "buttons": ["Yes"]}, ("bad_button", "no object"), id="a button that is none"),
        pytest.param({"type": "buttons", "buttons": [{"text": " "}]}, ("bad_button", "without a text"), id="no text"),
        pytest.param({"type": "link", "url": "ftp://a.example/"}, ("bad_url", "link"), id="not of the web"),
        pytest.param({"type": "link", "url": "//a.example/"}, ("bad_url", "link"), id="not absolute"),
        pytest.param({"type": "link", "url": "https://[a"}, ("bad_url", "link"), id="no address at all"),
        pytest.param({"type": "link", "url": "javascript:alert(1)"}, ("bad_url", "link"), id="a script"),
        pytest.param({"type": "image"}, ("bad_url", "image"), id="an image without an address"),
        pytest.param(
            {"type": "inlineButtons", "buttons": [{"text": "x", "url": "x"}]}, ("bad_url", "inlineButtons"), id="inline"
        ),
    ],
)
def test_what_cannot_be_shown_is_left_out_and_told(reply: dict[str, Any], expected: tuple[str, str]) -> None:
    found = rendered(reply, {"type": "text", "text": "after"})
    assert [dump(message) for message in found.messages] == [text("after")]
    assert [(dropped.code, dropped.what) for dropped in found.dropped] == [expected]


def test_a_keyboard_has_at_most_fifty_buttons() -> None:
    rows = [[{"text": str(number)} for number in range(start, start + 20)] for start in (0, 20, 40, 60)]
    found = rendered({"type": "buttons", "buttons": rows})
    shown = [len(row) for row in dump(found.messages[0])["buttons"]]
    assert shown == [20, 20, 10]
    assert sum(shown) == BUTTONS_MAX
    assert {dropped.code for dropped in found.dropped} == {"too_many"}


def test_an_answer_has_a_bounded_number_of_messages() -> None:
    found = rendered({"type": "text", "text": "x" * (100 * MESSAGES_MAX + 1)}, longest=100)
    assert len(found.messages) == MESSAGES_MAX
    assert [dropped.code for dropped in found.dropped] == ["too_many"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"type": "redirect_to_operator", "operator_id": "240001"}, {"operator_id": "240001"}, id="snake"),
        pytest.param({"type": "redirectToOperator", "operatorId": "7"}, {"operator_id": "7"}, id="camel"),
        pytest.param({"type": "redirect_to_operator", "operatorId": 7}, {"operator_id": "7"}, id="mixed, a number"),
        pytest.param(
            {"type": "redirect_to_department", "departmentKey": "d"}, {"department_key": "d"}, id="department"
        ),
        pytest.param({"type": "redirect_to_queue"}, {}, id="queue"),
        pytest.param(
            {"type": "close_chat", "operatorId": "123", "sub_category": "s", "category": "c"},
            {"category": "c", "sub_category": "s"},
            id="close, with what is not its own left out",
        ),
    ],
)
def test_actions_are_read_in_either_spelling_and_told_in_snake_case(given: Body, expected: Body) -> None:
    action = rendered(actions=[given]).action
    assert action is not None
    assert {key: value for key, value in dump(action).items() if key != "type"} == expected


@pytest.mark.parametrize(
    "action",
    [
        pytest.param({"type": "redirect_to_operator"}, id="no operator"),
        pytest.param({"type": "redirect_to_operator", "operator_id": "0"}, id="operator 0"),
        pytest.param({"type": "redirect_to_operator", "operator_id": "-3"}, id="a negative operator"),
        pytest.param({"type": "redirect_to_operator", "operator_id": "Ann"}, id="an operator's name"),
        pytest.param({"type": "redirect_to_operator", "operator_id": True}, id="a truth value"),
        pytest.param({"type": "redirect_to_operator", "operator_id": 1.0}, id="no whole number"),
        pytest.param({"type": "redirect_to_department", "department_key": " "}, id="a blank department"),
        pytest.param({"type": "dance"}, id="unknown"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_malformed_action_is_ignored_and_told(action: Body) -> None:
    found = rendered(actions=[action, {"type": "close_chat"}])
    assert found.action is not None
    assert found.action.type == "close_chat"
    assert [dropped.code for dropped in found.dropped] == ["bad_action"]


def test_the_first_redirect_or_close_is_final() -> None:
    found = rendered(actions=[{"type": "close_chat"}, {"type": "redirect_to_department", "department_key": "123"}])
    assert found.action is not None
    assert found.action.type == "close_chat"
    assert [(dropped.code, dropped.what) for dropped in found.dropped] == [("not_first", "redirect_to_department")]


def test_a_switch_is_an_action_and_stands_before_the_others() -> None:
    to_department = rendered({"type": "switch", "destination": "d1"}, actions=[{"type": "close_chat"}]).action
    assert to_department is not None
    assert dump(to_department) == {"type": "redirect_to_department", "department_key": "d1"}
    to_queue = rendered({"type": "switch"}).action
    assert to_queue is not None
    assert to_queue.type == "redirect_to_queue"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        pytest.param("text", "<b>x</b>", "<b>x</b>", id="text is text"),
        pytest.param("markdown", "**x**", "**x**", id="markdown is readable as it is"),
        pytest.param("html", "<p>a &lt; b</p><p>c<br>d</p><script>e</script>", "a < b\nc\nd", id="html loses its tags"),
    ],
)
def test_a_plain_message_is_one_text(kind: Any, value: str, expected: str) -> None:
    found = render_plain(Plain(type=kind, value=value), text_characters_max=4000)
    assert [dump(message) for message in found.messages] == [text(expected)]


def test_a_form_cannot_be_shown() -> None:
    found = render_plain(Form(type="form", value=FormValue(form_name="f", spec={})), text_characters_max=4000)
    assert found.messages == ()
    assert [dropped.code for dropped in found.dropped] == ["unsupported_reply"]
