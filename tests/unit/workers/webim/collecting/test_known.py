"""Which messages of a dialog a conversation's log does not hold yet: a table of dialogs against logs."""

from __future__ import annotations

from typing import Any

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.dialogs import DIALOG_MESSAGE, LIVECHAT_STARTED, DialogResponse
from broker.domain.ids import OrgId, SessionId, chat_name
from broker.domain.subjects import ChatPath, Kind
from broker.domain.wire import dump
from broker.transport.reader import StoredMessage
from workers.webim.channel import WEBIM
from workers.webim.chat.chats import Chat
from workers.webim.chat.notices import own_event, told_id
from workers.webim.collecting.dialog import DialogMessage, read_dialog
from workers.webim.collecting.known import SLACK_MS, Fresh, Known, fresh

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"
SESSION = "11111111-2222-4333-8444-555555555555"
OPENED_MS = 1_795_255_200_000
AT = "2026-11-21T10:00:00Z"
"""The same moment."""
LONG_BEFORE = "2026-11-21T09:00:00Z"
CHAT = Chat(
    org=ORG,
    channel_id="ch1",
    chat_id=7,
    session=SESSION,
    dialect="2",
    opening_id="opening",
    opened_at_ms=OPENED_MS,
    last_at_ms=OPENED_MS,
)
CONVERSATION = ChatPath(WEBIM, OrgId(ORG), chat_name("livech1")).conversation(SessionId(SESSION))
Event = tuple[Kind, dict[str, Any], str]


def came(raw: dict[str, Any], *, kind: Kind = Kind.MESSAGE) -> Event:
    """A visitor's event with the call that it came from."""
    request = own_event(CHAT, "x", None, event_id="x", now_ms=OPENED_MS).model_copy(update={"raw_request": raw})
    return kind, visitor(dump(request)), "some-id"


def wrote(text: str, message_id: str | None = None) -> Event:
    """A visitor's text, as version 2 tells it."""
    message = {"kind": "visitor", "text": text} | ({} if message_id is None else {"id": message_id})
    return came({"event": "new_message", "chat_id": 7, "message": message})


def told(key: str) -> Event:
    """A message that was collected."""
    event_id = told_id(SESSION, key)
    request = own_event(CHAT, DIALOG_MESSAGE, {}, event_id=event_id, now_ms=OPENED_MS)
    return Kind.NOTICE, visitor(dump(request)), event_id


def given_away() -> Event:
    """The transfer."""
    request = own_event(CHAT, LIVECHAT_STARTED, {}, event_id="x", now_ms=OPENED_MS)
    return Kind.NOTICE, visitor(dump(request)), "x"


def answered(*replies: dict[str, Any], **plain: Any) -> Event:
    """What a program says."""
    content: dict[str, Any] = {"sessionuuid": SESSION, **plain}
    if replies:
        content["webim_response"] = dump(DialogResponse(replies=list(replies)))
    return Kind.NOTIFICATION, {"platforms": {WEBIM: content}}, "n"


def receipt(notification: int, status: str) -> Event:
    """What became of it."""
    return Kind.RECEIPT, {"notification": notification, "status": status}, "r"


def visitor(request: dict[str, Any]) -> dict[str, Any]:
    return {"heimdall": {WEBIM: {"sessionuuid": SESSION, "webim_request": request}}}


def known_from(*events: Event) -> Known:
    known = Known(4_000)
    for sequence, (kind, body, event_id) in enumerate(events, start=1):
        headers = {names.MESSAGE_ID: event_id}
        known.read(StoredMessage(f"p.0.{CONVERSATION.subject(kind)}", encode(body), headers, sequence, OPENED_MS))
    return known


def new_of(events: list[Event], *messages: dict[str, Any]) -> Fresh:
    dialog = read_dialog({"id": 7, "messages": [{"created_at": AT, **message} for message in messages]})
    assert dialog is not None
    return fresh(dialog, known_from(*events), session=SESSION, opened_at_ms=OPENED_MS)


def words(messages: tuple[DialogMessage, ...]) -> list[str]:
    return [f"{message.author}: {message.text}" for message in messages]


V1 = {"id": "v1", "kind": "visitor", "message": "Hello"}
BOT = {"id": "b1", "kind": "operator", "message": "I am a bot"}
OPERATOR = {"id": "o1", "kind": "operator", "message": "Good day", "operator_id": 240001}
VISITOR_LATER = {"id": "v2", "kind": "visitor", "message": "Thanks"}
INFO = {"id": "i1", "kind": "info", "message": "Chat closed"}
BOT_SAID = answered({"type": "text", "text": "I am a bot"})


@pytest.mark.parametrize(
    ("events", "messages", "expected"),
    [
        pytest.param(
            [wrote("Hello", "v1"), BOT_SAID, receipt(2, "delivered"), given_away()],
            [V1, BOT, OPERATOR, VISITOR_LATER, INFO],
            ["agent: Good day", "client: Thanks", "system: Chat closed"],
            id="what came after the bot, in order",
        ),
        pytest.param(
            [wrote("Hello", "v1"), given_away(), told("id o1")],
            [V1, OPERATOR, VISITOR_LATER],
            ["client: Thanks"],
            id="what was collected is not told again",
        ),
        pytest.param(
            [wrote("Hello", "v1"), given_away(), told("id o1"), told("id v2")],
            [V1, OPERATOR, VISITOR_LATER],
            [],
            id="nothing new",
        ),
        pytest.param(
            [wrote("Hello"), BOT_SAID, given_away()],
            [V1, BOT, OPERATOR, {**V1, "id": "v9"}],
            ["agent: Good day", "client: Hello"],
            id="without ids the same word is known as often as it came",
        ),
        pytest.param(
            [wrote("Hello", "v1"), BOT_SAID, given_away()],
            [V1, {**BOT, "operator_id": 9}, OPERATOR, {**BOT, "id": "o2", "operator_id": 240001}],
            ["agent: Good day", "agent: I am a bot"],
            id="a bot may have an operator's id until an operator has spoken",
        ),
        pytest.param(
            [wrote("Hello", "v1"), BOT_SAID, receipt(2, "skipped"), given_away()],
            [V1, {**BOT, "operator_id": 240001}],
            ["agent: I am a bot"],
            id="what was never shown is nobody else's either",
        ),
        pytest.param(
            [wrote("Hello", "v1"), BOT_SAID, receipt(2, "failed"), given_away()],
            [V1, BOT],
            [],
            id="a failed one may have got half way",
        ),
        pytest.param(
            [wrote("Hello", "v1"), given_away(), BOT_SAID],
            [V1, BOT],
            ["agent: I am a bot"],
            id="a program that speaks after the transfer is not heard",
        ),
        pytest.param(
            [wrote("Hello", "v1"), answered(webim_message={"type": "html", "value": "<p>Hi</p>"}), given_away()],
            [V1, {"kind": "operator", "text": "Hi"}, OPERATOR],
            ["agent: Good day"],
            id="a plain message is known by its words",
        ),
        pytest.param(
            [
                wrote("Hello", "v1"),
                answered({"type": "buttons", "buttons": [{"text": "A"}]}, {"type": "image", "imageUrl": "https://a/b"}),
                given_away(),
            ],
            [V1, {"kind": "keyboard", "data": {}}, {"kind": "file_operator", "data": {"url": "https://a/b"}}, OPERATOR],
            ["agent: Good day"],
            id="buttons and files of the bot's",
        ),
        pytest.param(
            [wrote("again", "v9"), given_away()],
            [V1, BOT, OPERATOR, {"id": "v9", "kind": "visitor", "message": "again"}, {**OPERATOR, "id": "o2"}],
            ["agent: Good day"],
            id="what an earlier session of the chat held is not of this one",
        ),
        pytest.param(
            [wrote("again"), given_away()],
            [{**V1, "created_at": LONG_BEFORE}, {**OPERATOR, "created_at": LONG_BEFORE}, {**V1, "message": "again"}],
            [],
            id="without ids the clock tells what is an earlier session's",
        ),
        pytest.param(
            [came({"event": "new_chat", "chat": {"id": 7}, "messages": [{"kind": "visitor", "text": "Hello"}]})],
            [{"kind": "visitor", "message": "Hello"}, OPERATOR],
            ["agent: Good day"],
            id="the messages of a new chat",
        ),
        pytest.param(
            [
                came(
                    {
                        "event": "new_chat",
                        "messages": [V1, {"id": "o1", "kind": "operator", "text": "Good day"}, INFO, {"kind": "info"}],
                    }
                )
            ],
            [V1, OPERATOR, INFO, {"kind": "info"}, {**OPERATOR, "id": "o2", "message": "me again"}],
            ["agent: me again"],
            id="a chat given back brings along what was said before",
        ),
        pytest.param(
            [came({"event": "new_message", "chat": {"id": 7}, "kind": "visitor", "text": "Hello"})],
            [{"kind": "visitor", "message": "Hello"}, OPERATOR],
            ["agent: Good day"],
            id="version 1 has its message at the top",
        ),
        pytest.param([], [OPERATOR], ["agent: Good day"], id="an empty log"),
    ],
)
def test_only_what_the_log_does_not_hold_is_told(
    events: list[Event], messages: list[dict[str, Any]], expected: list[str]
) -> None:
    assert words(new_of(events, *messages).messages) == expected


def test_a_dialog_within_the_slack_of_the_clocks_is_of_the_session() -> None:
    almost = {"kind": "info", "message": "x"}
    dialog = read_dialog({"id": 7, "messages": [{"created_at": "2026-11-21T09:55:00Z", **almost}]})
    assert dialog is not None
    found = fresh(dialog, known_from(), session=SESSION, opened_at_ms=OPENED_MS)
    assert dialog.messages[0].created_at_ms == OPENED_MS - SLACK_MS
    assert found.messages == dialog.messages


@pytest.mark.parametrize(
    ("messages", "has_spoken"),
    [
        pytest.param([V1, BOT, INFO], False, id="nobody yet"),
        pytest.param([V1, BOT, OPERATOR], True, id="an operator, just now"),
        pytest.param([V1, BOT, {**OPERATOR, "id": "old"}], True, id="an operator, before"),
    ],
)
def test_whether_an_operator_has_spoken_is_told(messages: list[dict[str, Any]], *, has_spoken: bool) -> None:
    found = new_of([wrote("Hello", "v1"), BOT_SAID, given_away(), told("id old")], *messages)
    assert found.has_spoken is has_spoken


def test_an_event_that_nobody_can_read_tells_nothing() -> None:
    known = known_from((Kind.MESSAGE, {"heimdall": 1}, "x"), (Kind.RECEIPT, {"notification": "x"}, "y"))
    known.read(StoredMessage("p.0.some.thing", b"", {}, 9, 0))
    known.read(StoredMessage(f"p.0.{CONVERSATION.subject(Kind.NOTIFICATION)}", b"\xc1", {}, 9, 0))
    assert known == Known(4_000)
