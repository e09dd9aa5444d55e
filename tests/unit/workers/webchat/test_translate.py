from typing import Any

import pytest

from broker.domain.events import PlatformSwitch, read_notification, read_visitor
from broker.domain.ids import SessionId
from broker.domain.profiles import Profile
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import Kind
from broker.errors import InvalidBodyError
from broker.transport.reader import StoredMessage
from workers.webchat import translate
from workers.webchat.translate import WEBCHAT
from workers.webchat.wire import Configure, Control, Say, Told

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
ID = "2f6c2f58-8f43-4a0e-9b7e-2f1b6a1d7c90"
PASSED = "{'a':'b'}"
RECORD = SessionRecord(channel="webchat", org=ORG, chat_name="draftshop", created_at_ms=1, pass_through=PASSED)
CONFIGURATION = {"orguuid": ORG, "chatname": "draftshop", "passthroughData": PASSED}
STORED = StoredMessage("", b"", {}, 7, 9)
SWITCH = PlatformSwitch(platform_name="whatsapp", type="mobile", value="+18005550100")


def content_of(frame: Told, *, is_first: bool = False) -> tuple[Kind, dict[str, Any]]:
    event = translate.to_event(frame, SESSION, RECORD, is_first=is_first)
    assert event is not None
    kind, body = event
    _, payload = read_visitor(WEBCHAT, body)  # It validates as the contract's own model.
    return kind, payload


@pytest.mark.parametrize(
    ("frame", "part", "expected"),
    [
        pytest.param(
            Say(frame="say", id=ID, text=" hei\n"),
            "webchat_message",
            {"type": "text", "value": " hei\n"},
            id="a text is carried as it was written",
        ),
        pytest.param(
            Say(frame="say", id=ID, text="hei", event={"page": "tvs"}),
            "webchat_control_event",
            {"page": "tvs"},
            id="what the page adds travels along",
        ),
        pytest.param(
            Control(frame="control", id=ID, event={"page": "tvs"}),
            "webchat_control_event",
            {"page": "tvs"},
            id="a page event alone",
        ),
        pytest.param(
            Configure(frame="configure", id=ID, platform_switch=SWITCH),
            "webchat_client_configuration",
            {"platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}},
            id="check 14: a platform switch with name, type and value",
        ),
    ],
)
def test_a_frame_becomes_the_documented_body(frame: Told, part: str, expected: object) -> None:
    _, payload = content_of(frame)
    assert payload[part] == expected
    assert payload["sessionuuid"] == SESSION
    assert payload["webchat_configuration"] == CONFIGURATION


@pytest.mark.parametrize(
    ("frame", "is_first", "expected"),
    [
        pytest.param(Say(frame="say", id=ID, text="hei"), True, Kind.FIRSTMESSAGE, id="first"),
        pytest.param(Say(frame="say", id=ID, text="hei"), False, Kind.MESSAGE, id="later"),
        pytest.param(Control(frame="control", id=ID, event={}), False, Kind.MESSAGE, id="a page event is a message"),
        pytest.param(
            Configure(frame="configure", id=ID, platform_switch=SWITCH),
            True,
            Kind.CONFIGURATION,
            id="neither",
        ),
    ],
)
def test_the_kind_is_our_own_judgement(frame: Told, is_first: bool, expected: Kind) -> None:  # noqa: FBT001
    assert content_of(frame, is_first=is_first)[0] is expected


def test_a_message_of_blanks_is_none() -> None:
    assert translate.to_event(Say(frame="say", id=ID, text=" \n\t"), SESSION, RECORD, is_first=True) is None


def test_blanks_with_a_page_event_carry_only_the_event() -> None:
    _, payload = content_of(Say(frame="say", id=ID, text=" ", event={"page": "tvs"}))
    assert "webchat_message" not in payload


def test_what_is_known_of_the_browser_goes_along() -> None:
    record = RECORD.model_copy(update={"meta_data": translate.meta_data("203.0.113.7", "Mozilla/5.0" * 100)})
    event = translate.to_event(Say(frame="say", id=ID, text="hei"), SESSION, record, is_first=True)
    assert event is not None
    found = event[1]["heimdall"]["webchat"]["webchat_meta_data"]
    assert found["ip"] == "203.0.113.7"
    assert len(found["user_agent"]) == translate.USER_AGENT_CHARACTERS_MAX


@pytest.mark.check(9)
def test_check_9_initialize_has_a_session_and_no_message() -> None:
    body = translate.to_initialize(SESSION, RECORD)
    assert body == {"heimdall": {"webchat": {"sessionuuid": SESSION, "webchat_configuration": CONFIGURATION}}}


def notification(**parts: Any) -> Any:
    content = read_notification(WEBCHAT, {"platforms": {"webchat": {"sessionuuid": SESSION, **parts}}})
    return translate.from_notification(content, "n7", STORED)


@pytest.mark.check(36)
def test_check_36_a_message_without_an_agent_is_from_agent() -> None:
    assert notification(webchat_message={"type": "text", "value": "hei"}).agent == "Agent"


@pytest.mark.check(37)
def test_check_37_a_control_event_alone_shows_nothing() -> None:
    frame = notification(webchat_control_event={"page": "tvs"}, stubsession={"set_new_with_timeout_hours": 24})
    assert frame.control == {"page": "tvs"}
    assert (frame.type, frame.html) == (None, None)


@pytest.mark.check(38)
def test_check_38_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidBodyError) as caught:
        notification(webchat_message={"type": "buttons", "value": "x"})
    for known in ("text", "markdown", "html", "form"):
        assert f"'{known}'" in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"type": "text", "value": "<b>"}, ("text", "&lt;b&gt;"), id="text is escaped"),
        pytest.param({"type": "markdown", "value": "**x**"}, ("markdown", "<p><strong>x</strong></p>"), id="markdown"),
        pytest.param({"type": "html", "value": "<b>x</b><style>y</style>"}, ("html", "<b>x</b>"), id="html"),
        pytest.param(
            {"type": "form", "value": {"form_name": "<f>", "spec": {}}},
            ("text", "A form (&lt;f&gt;): it cannot be filled in here yet."),
            id="a form is only told of",
        ),
    ],
)
def test_what_a_stub_writes_reaches_the_page_safe(message: dict[str, Any], expected: tuple[str, str]) -> None:
    frame = notification(webchat_message=message)
    assert (frame.type, frame.html) == expected


def test_settings_go_by_their_labels() -> None:
    frame = notification(webchat_client_configuration={"any": {"type": "switching", "value": {"sms": True}}})
    assert frame.settings == {"any": {"type": "switching", "value": {"sms": True}}}


def test_the_visitors_own_words_come_back_as_text_never_as_html() -> None:
    _, body = translate.to_event(Say(frame="say", id=ID, text="<b>"), SESSION, RECORD, is_first=True) or (None, {})
    content, _ = read_visitor(WEBCHAT, body)
    frame = translate.from_visitor(content, ID, STORED)
    assert (frame.direction, frame.text, frame.html) == ("from_visitor", "<b>", None)


def test_a_client_id_survives_the_way_through_the_log() -> None:
    assert translate.client_id_of(SESSION, translate.event_id(SESSION, ID)) == ID


def test_a_profile_greets_in_text() -> None:
    profile = Profile(
        org=ORG, branch="draft", name="shop", chat_name="draftshop", profile_uuid=ID, opening_message="<hei>"
    )
    opening = translate.opening_of(profile)
    assert opening is not None
    assert opening.html == "&lt;hei&gt;"
    assert translate.opening_of(profile.model_copy(update={"opening_message": None})) is None
