"""When the clock has something to do for a case, and when not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from workers.giosg.cases.case import Case, Chat
from workers.giosg.watching.reconcile import has_moved, looked_at
from workers.giosg.watching.silence import notice_of, waits_long
from workers.giosg.wire import ChatView

CHAT = Chat(id="c1", opened_at_ms=0, looked_at="2026-01-01T00:00:00.000Z", message_count=3, waiting_since_ms=1_000)


def a_case(**members: Any) -> Case:
    return Case(
        org=str(uuid4()),
        connection="support",
        conversation="prefix",
        session=str(uuid4()),
        visitor_key="webchat-v1",
        **{"stage": "waiting", "chat": CHAT, **members},
    )


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param({"updated_at": CHAT.looked_at, "message_count": 3}, False, id="nothing happened"),
        pytest.param({"updated_at": CHAT.looked_at, "message_count": 4}, True, id="the counter moved"),
        pytest.param({"updated_at": "2026-01-01T00:00:01.000Z", "message_count": 3}, True, id="it was changed"),
        pytest.param({}, True, id="giosg that tells nothing may have news"),
    ],
)
def test_messages_are_listed_only_where_there_may_be_news(view: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert has_moved(CHAT, ChatView(id="c1", **view)) is expected


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    view = ChatView(id="c1", updated_at="2026-01-01T00:00:09.000Z", message_count=9)
    after = looked_at(a_case(), view)
    assert after.chat is not None
    assert not has_moved(after.chat, view)


def test_a_look_at_a_chat_that_the_case_has_no_more_is_not_noted() -> None:
    case = a_case()
    assert looked_at(case, ChatView(id="c2", message_count=9)) == case


@pytest.mark.parametrize(
    ("members", "notice_s", "now_ms", "expected"),
    [
        pytest.param({}, 120, 121_000, True, id="two minutes have passed"),
        pytest.param({}, 120, 120_999, False, id="not yet"),
        pytest.param({}, 0, 10**9, False, id="nobody wants notices"),
        pytest.param({"stage": "active"}, 120, 10**9, False, id="an agent is there"),
        pytest.param({"told": [notice_of(CHAT)]}, 120, 10**9, False, id="it was said"),
        pytest.param({"told": ["waiting.long-c0"]}, 120, 10**9, True, id="it was said of the chat before"),
        pytest.param({"chat": CHAT.model_copy(update={"answered": True})}, 120, 10**9, False, id="somebody answered"),
        pytest.param({"chat": None, "stage": "none"}, 120, 10**9, False, id="there is no chat"),
    ],
)
def test_who_waits_for_long_is_told_so_once_for_each_chat(
    members: dict[str, Any],
    notice_s: int,
    now_ms: int,
    expected: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert waits_long(a_case(**members), notice_s, now_ms=now_ms) is expected
