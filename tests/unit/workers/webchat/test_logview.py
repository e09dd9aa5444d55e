from typing import Any

import pytest

from broker import codec
from broker.domain.ids import ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.errors import BodyError, GrammarError, NoSenderError
from broker.transport.reader import StoredMessage
from workers.webchat.logview import IDS_MAX, LogView
from workers.webchat.translate import WEBCHAT

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
OTHER = SessionId("6b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
PATH = ChatPath(WEBCHAT, ORG, ChatName("draftshop"))
OURS = PATH.conversation(SESSION)
FACT = {"stub": "demo.x", "stubref": "x", "epoch": 1, "expires_at_ms": 1, "reason": "timeout"}


def event(
    sequence: int, kind: Kind, body: Any = None, *, where: Conversation = OURS, client: str = ""
) -> StoredMessage:
    headers = {"Nats-Msg-Id": f"{SESSION}-{client}"} if client else {}
    data = body if isinstance(body, bytes) else codec.encode(body or {})
    return StoredMessage(f"p.3.{where.subject(kind)}", data, headers, sequence, 9)


def said(sequence: int, client: str, kind: Kind = Kind.MESSAGE) -> StoredMessage:
    body = {"heimdall": {"webchat": {"sessionuuid": SESSION, "webchat_message": {"type": "text", "value": client}}}}
    return event(sequence, kind, body, client=client)


def notified(sequence: int, session: str = SESSION, **more: object) -> StoredMessage:
    content = {"sessionuuid": session, "webchat_message": {"type": "text", "value": "hei"}, **more}
    return event(sequence, Kind.NOTIFICATION, {"platforms": {"webchat": content}})


def receipt(sequence: int, of: int) -> StoredMessage:
    return event(sequence, Kind.RECEIPT, {"notification": of, "status": "delivered"})


@pytest.mark.check(11)
@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param([], True, id="check 11: nothing was said yet"),
        pytest.param([said(1, "a", Kind.FIRSTMESSAGE)], False, id="check 11: something was said"),
        pytest.param([said(1, "a"), event(2, Kind.EXPIRED, FACT)], True, id="check 24: the link expired"),
        pytest.param([said(1, "a"), event(2, Kind.CANCELLED, FACT)], True, id="the link was cancelled"),
        pytest.param([said(1, "a"), event(2, Kind.LINKED, FACT)], False, id="a new link opens nothing"),
        pytest.param([said(1, "a"), event(2, Kind.EXPIRED, FACT), said(3, "b")], False, id="and was written again"),
        pytest.param([event(1, Kind.CONFIGURATION, {}, client="a")], True, id="a switch is no message"),
        pytest.param([notified(1)], True, id="a welcome is not the visitor's"),
    ],
)
def test_the_next_message_is_first_as_the_log_tells(log: list[StoredMessage], expected: bool) -> None:  # noqa: FBT001
    view = LogView(OURS)
    for message in log:
        view.learn(message)
    assert view.is_first is expected


def test_our_own_message_counts_where_the_log_put_it() -> None:
    view = LogView(OURS)
    view.learn(event(5, Kind.EXPIRED, FACT))
    view.note_stored("a", 4, is_message=True)
    assert view.is_first
    view.note_stored("b", 6, is_message=True)
    assert not view.is_first


def test_an_event_is_taken_once_and_in_order() -> None:
    view = LogView(OURS)
    assert view.learn(notified(4)) is Kind.NOTIFICATION
    assert view.learn(notified(4)) is None
    assert view.learn(notified(3)) is None


def test_our_own_message_does_not_pass_over_what_stands_before_it() -> None:
    view = LogView(OURS)
    view.note_stored("a", 9, is_message=True)
    assert view.learn(notified(8)) is Kind.NOTIFICATION


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(PATH.conversation(OTHER), id="another session"),
        pytest.param(ChatPath(WEBCHAT, ORG, ChatName("draftother")).conversation(SESSION), id="another chat"),
        pytest.param(ChatPath(WEBCHAT, OrgId(OTHER), PATH.chat).conversation(SESSION), id="another org"),
    ],
)
def test_another_conversation_is_none_of_ours(where: Conversation) -> None:
    assert LogView(OURS).learn(event(1, Kind.NOTIFICATION, {}, where=where)) is None


@pytest.mark.check(41)
def test_check_41_the_clients_ids_are_known_from_the_log() -> None:
    view = LogView(OURS)
    view.learn(said(7, "a"))
    assert view.stored_ids == {"a": 7}


def test_the_oldest_ids_are_forgotten() -> None:
    view = LogView(OURS)
    for number in range(IDS_MAX + 1):
        view.note_stored(f"id{number}", number, is_message=True)
    assert "id0" not in view.stored_ids
    assert len(view.stored_ids) == IDS_MAX


def test_receipts_are_due_once_for_what_was_read_and_has_none() -> None:
    view = LogView(OURS)
    for message in (notified(1), notified(2), receipt(3, of=1), notified(4)):
        kind = view.learn(message)
        assert kind is not None
        view.show(kind, message, is_new=False)
    assert view.take_confirmed(3) == [2]
    assert view.take_confirmed(9) == [4]
    assert view.take_confirmed(9) == []


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param(event(1, Kind.NOTIFICATION, b"\xff\xff"), BodyError, id="bytes"),
        pytest.param(event(1, Kind.NOTIFICATION, {"platforms": {}}), BodyError, id="a body without its content"),
        pytest.param(notified(1, OTHER), BodyError, id="another session in the body"),
        pytest.param(notified(1, stubsession={}), NoSenderError, id="a link for nobody"),
    ],
)
def test_what_cannot_be_shown_has_no_receipt(message: StoredMessage, error: type[Exception]) -> None:
    view = LogView(OURS)
    kind = view.learn(message)
    assert kind is not None
    with pytest.raises(error):
        view.show(kind, message, is_new=True)
    assert view.take_confirmed(1) == []


def test_a_subject_outside_the_grammar_is_an_error() -> None:
    with pytest.raises(GrammarError):
        LogView(OURS).learn(StoredMessage("p.3.stubber.systems.notifications.webchat.org.x", b"", {}, 1, 9))


def test_a_visitors_words_are_shown_again_with_the_clients_own_id() -> None:
    frame = LogView(OURS).show(Kind.MESSAGE, said(7, "a"), is_new=True)
    assert frame is not None
    assert (frame.id, frame.text, frame.sequence, frame.direction) == ("a", "a", 7, "from_visitor")
    assert LogView(OURS).show(Kind.MESSAGE, said(7, "a"), is_new=False) is None


def test_what_the_visitor_said_is_shown_once_however_often_it_is_published_again() -> None:
    view = LogView(OURS)
    first = said(1, "a")
    again = StoredMessage(first.subject, first.data, {"Nats-Msg-Id": "redrive-1", "Heimdall-Redriven": "1"}, 2, 9)
    shown = [view.show(kind, message, is_new=True) for message in (first, again) if (kind := view.learn(message))]
    assert [frame is not None for frame in shown] == [True, False]
