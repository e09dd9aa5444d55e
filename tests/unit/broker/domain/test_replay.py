from __future__ import annotations

import pytest

from broker.domain import headers as names
from broker.domain.events import Timeout
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId, Stub
from broker.domain.incoming import Incoming
from broker.domain.registry import Occasion, Taker
from broker.domain.replay import Folded, LogEvent, Rules, Unread, replay, start_of
from broker.domain.session import DeliverToOwner, Link, SetAside, State
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.domain.wire import Body, dump

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
PLACE = Conversation(ChatPath(ChannelName("webchat"), ORG, ChatName("draftshop")), SESSION)
A = Stub.parse("demo.A-1")
HOUR_MS = 3_600_000


def nobody(_kind: Kind, _occasion: Occasion) -> tuple[Taker, ...]:
    return ()


def no_profile(_incoming: Incoming) -> None:
    return None


RULES = Rules(no_profile, nobody)


def said(sequence: int, at_ms: int = 0, kind: Kind = Kind.MESSAGE) -> LogEvent:
    body = {"heimdall": {"webchat": {"sessionuuid": SESSION, "webchat_message": {"type": "text", "value": "hei"}}}}
    return LogEvent(sequence, at_ms, PLACE.subject(kind), {}, body)


def notified(sequence: int, at_ms: int = 0, **stubsession: float) -> LogEvent:
    content: Body = {"sessionuuid": SESSION}
    if stubsession:
        content["stubsession"] = {"set_new_with_timeout_hours": stubsession["hours"]}
    headers = {names.STUB: str(A)}
    return LogEvent(sequence, at_ms, PLACE.subject(Kind.NOTIFICATION), headers, {"platforms": {"webchat": content}})


def fact(sequence: int, kind: Kind, epoch: int, at_ms: int = 0) -> LogEvent:
    body: Body = {"stub": str(A), "stubref": A.ref, "epoch": epoch, "expires_at_ms": HOUR_MS}
    body |= {"feedback_action": "_act", "timeout_hours": 1.0} if kind is Kind.LINKED else {"reason": "timeout"}
    return LogEvent(sequence, at_ms, PLACE.subject(kind), {}, body)


def closed(sequence: int, epoch: int) -> LogEvent:
    body: Body = {"stub": str(A), "stubref": A.ref, "epoch": epoch, "expires_at_ms": HOUR_MS, "reason": "closed"}
    return LogEvent(sequence, 0, PLACE.subject(Kind.CANCELLED), {}, body)


def fired(sequence: int, at_ms: int, epoch: int) -> LogEvent:
    body = dump(Timeout(epoch=epoch, deadline_at_ms=at_ms))
    return LogEvent(sequence, at_ms, PLACE.subject(Kind.TIMEOUT), {}, body)


def folded_at(found: list[Folded], sequence: int) -> Folded:
    return next(one for one in found if one.event.sequence == sequence)


def test_the_log_is_folded_as_the_linker_folds_it() -> None:
    found = replay([said(1), notified(2, hours=1.0), fact(3, Kind.LINKED, 2), said(4)], State(), RULES)
    assert [one.event.sequence for one in found] == [1, 2, 4]
    assert found[0].effects == (SetAside(1, "unrouted", "nobody is linked or registered for firstmessage"),)
    assert found[2].effects == (DeliverToOwner(A, None, 4),)
    assert found[2].before.link == Link(A, None, 2, HOUR_MS, 1.0)


def test_what_the_linker_refuses_changes_nothing() -> None:
    garbage = LogEvent(2, 0, PLACE.subject(Kind.SET), {}, None, Unread("undecodable", "not msgpack"))
    outside = LogEvent(3, 0, PLACE.prefix + ".nonsense", {}, {})
    strange = LogEvent(4, 0, PLACE.subject(Kind.MESSAGE), {names.MECHANISM: "xyz"}, said(4).body)
    assert [one.event.sequence for one in replay([said(1), garbage, outside, strange], State(), RULES)] == [1]
    assert garbage.incoming() == Unread("undecodable", "not msgpack")
    assert outside.kind is None
    assert isinstance(strange.incoming(), Unread)


def test_a_set_by_a_stub_that_was_closed_is_told_by_the_fact_alone() -> None:
    ended = replay([said(1), notified(2, hours=1.0), fact(3, Kind.LINKED, 2), closed(4, 2), said(5)], State(), RULES)
    assert [one.after.link for one in ended] == [None, None, None]
    delete = LogEvent(3, 0, PLACE.subject(Kind.DELETE), {}, {})
    later = replay([notified(2, hours=1.0), delete, closed(4, 2), said(5)], State(), RULES)
    assert [one.after.link is None for one in later] == [False, False]


@pytest.mark.parametrize(
    ("known_since_ms", "expected"),
    [
        pytest.param(None, [1, 2], id="nobody knows when the session began"),
        pytest.param(60_000, [2], id="it spoke long before the session was known"),
        pytest.param(1_000, [1, 2], id="clocks differ a little"),
    ],
)
def test_a_stub_that_spoke_before_the_session_was_known_was_refused(
    known_since_ms: int | None, expected: list[int]
) -> None:
    rules = Rules(no_profile, nobody, known_since_ms=known_since_ms)
    found = replay([notified(1, 0, hours=1.0), said(2, 60_000)], State(), rules)
    assert [one.event.sequence for one in found] == expected


@pytest.mark.parametrize(
    ("events", "stored", "expected"),
    [
        pytest.param([], None, State(), id="nothing is left"),
        pytest.param([said(9)], None, State(), id="nothing tells of a link"),
        pytest.param(
            [said(9), fact(10, Kind.EXPIRED, 5)],
            None,
            State(8, Link(A, None, 5, HOUR_MS, 0.0), opened=True),
            id="the end of a link tells that it was there",
        ),
        pytest.param([said(9), fact(11, Kind.LINKED, 10)], None, State(), id="a link set later was not there before"),
        pytest.param(
            [said(9)],
            State(9, Link(A, None, 5, HOUR_MS, 1.0), opened=True),
            State(8, Link(A, None, 5, HOUR_MS, 1.0), opened=True),
            id="the stored state still has a link of an older epoch",
        ),
        pytest.param(
            [said(9)], State(12, Link(A, None, 12, HOUR_MS, 1.0)), State(), id="the stored link is of a newer epoch"
        ),
    ],
)
def test_where_the_beginning_is_gone_the_state_is_what_can_be_known(
    events: list[LogEvent], stored: State | None, expected: State
) -> None:
    assert start_of(events, stored) == expected
