"""When an operator's dialog is looked at again, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from workers.webim.chat.chats import Chat, closed, transferred
from workers.webim.chat.transfer_notes import TransferNote
from workers.webim.collecting.dialog import Dialog, read_dialog
from workers.webim.collecting.polling import (
    CLAIM_MS,
    CLOSING_AGAIN_MS,
    CLOSING_MS_MAX,
    COLLECTED_MS_MAX,
    SILENCE_MS,
    SLOWER_MAX,
    Standing,
    claimed,
    failed,
    is_given_up,
    is_over,
    mark_of,
    seen,
    standing_of,
    waiting,
)
from workers.webim.collecting.sweeps import later

CHAT = Chat(
    org="0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90",
    channel_id="ch1",
    chat_id=7,
    session="11111111-2222-4333-8444-555555555555",
    dialect="2",
    opening_id="opening",
    opened_at_ms=0,
    last_at_ms=0,
)
GIVEN = transferred(CHAT, now_ms=0)
OTHER = CHAT.model_copy(update={"session": "99999999-2222-4333-8444-555555555555"})
INFO = {"id": 2, "kind": "info", "text": "closed"}


def note(**changes: Any) -> TransferNote:
    return TransferNote(chat=CHAT, since_ms=0, next_poll_at_ms=0, changed_at_ms=0).model_copy(update=changes)


def dialog(*messages: dict[str, Any], **members: Any) -> Dialog:
    found = read_dialog({"id": 7, "messages": list(messages), **members})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("chat", "standing"),
    [
        pytest.param(GIVEN, "ours", id="an operator has it"),
        pytest.param(CHAT, "not_yet", id="the transfer is about to be saved"),
        pytest.param(OTHER, "given_back", id="another session"),
        pytest.param(transferred(OTHER, now_ms=0), "given_back", id="another session, with an operator as well"),
        pytest.param(closed(GIVEN, "operator"), "over", id="closed"),
        pytest.param(None, "over", id="forgotten"),
    ],
)
def test_the_record_tells_what_a_note_is_worth(chat: Chat | None, standing: Standing) -> None:
    assert standing_of(note(), chat) == standing


@pytest.mark.parametrize(
    ("changes", "found", "now_ms", "over"),
    [
        pytest.param({}, dialog(), 1, False, id="going on"),
        pytest.param({}, dialog(state="closed"), 1, True, id="Webim says so"),
        pytest.param({"closing_since_ms": 1}, dialog(), 1, True, id="its handler has said so"),
        pytest.param({"closing_words": True}, dialog(INFO), SILENCE_MS - 1, False, id="a last word a moment ago"),
        pytest.param({"closing_words": True}, dialog(INFO), SILENCE_MS, True, id="a last word long ago"),
        pytest.param({}, dialog(INFO), SILENCE_MS, False, id="silence without a last word"),
        pytest.param({}, dialog(), COLLECTED_MS_MAX - 1, False, id="almost a day"),
        pytest.param({}, dialog(), COLLECTED_MS_MAX, True, id="a day"),
    ],
)
def test_a_dialog_is_over_by_a_mark_a_last_word_or_its_age(
    changes: dict[str, Any], found: Dialog, now_ms: int, *, over: bool
) -> None:
    assert is_over(note(**changes), found, now_ms=now_ms) is over


def test_an_end_that_cannot_be_looked_at_is_told_after_a_while() -> None:
    closing = note(closing_since_ms=100)
    assert not is_given_up(closing, now_ms=100 + CLOSING_MS_MAX - 1)
    assert is_given_up(closing, now_ms=100 + CLOSING_MS_MAX)
    assert not is_given_up(note(), now_ms=COLLECTED_MS_MAX - 1)
    assert is_given_up(note(), now_ms=COLLECTED_MS_MAX)


@pytest.mark.parametrize(
    ("changes", "expected_ms"),
    [
        pytest.param({}, 60_000, id="the interval"),
        pytest.param({"since_ms": 30_000 - COLLECTED_MS_MAX}, 30_000, id="sooner where its day is over before"),
        pytest.param({"closing_words": True, "changed_at_ms": 20_000 - SILENCE_MS}, 20_000, id="or the silence"),
        pytest.param({"changed_at_ms": 20_000 - SILENCE_MS}, 60_000, id="silence alone changes nothing"),
        pytest.param({"since_ms": -COLLECTED_MS_MAX - 5}, 0, id="never in the past"),
    ],
)
def test_the_next_look_is_an_interval_away_or_when_the_end_may_be(changes: dict[str, Any], expected_ms: int) -> None:
    assert waiting(note(**changes), wait_s=60, now_ms=0).next_poll_at_ms == expected_ms


def test_looks_that_fail_are_further_and_further_apart_up_to_a_limit() -> None:
    after, waits = note(), []
    for _ in range(SLOWER_MAX + 2):
        after = failed(after, interval_s=1, now_ms=0)
        waits.append(after.next_poll_at_ms // 1000)
    assert waits == [*range(1, SLOWER_MAX + 1), SLOWER_MAX, SLOWER_MAX]
    assert failed(note(closing_since_ms=0), interval_s=60, now_ms=0).next_poll_at_ms == CLOSING_AGAIN_MS


def test_a_claim_keeps_others_away_for_a_while() -> None:
    assert claimed(note(), now_ms=5).next_poll_at_ms == 5 + CLAIM_MS


@pytest.mark.parametrize(
    ("found", "has_spoken", "closing_words"),
    [
        pytest.param(dialog(INFO), True, True, id="Webim's word behind an operator's"),
        pytest.param(dialog(INFO), False, False, id="Webim's word on the transfer itself"),
        pytest.param(dialog(INFO, {"id": 3, "kind": "visitor"}), True, False, id="somebody spoke after it"),
        pytest.param(dialog(), True, False, id="nothing"),
    ],
)
def test_a_last_word_of_webims_counts_behind_an_operators(
    found: Dialog, *, has_spoken: bool, closing_words: bool
) -> None:
    after = seen(note(failures=3), found, has_spoken=has_spoken, now_ms=9)
    assert (after.closing_words, after.changed_at_ms, after.failures) == (closing_words, 9, 0)
    assert after.mark == mark_of(found)


def test_the_mark_of_a_dialog_changes_with_its_messages() -> None:
    one, other = {"id": 1, "kind": "visitor"}, {"id": 2, "kind": "visitor"}
    assert mark_of(dialog(one)) == mark_of(dialog(one, state="closed"))
    assert len({mark_of(dialog(*each)) for each in ((), (one,), (one, other), (other,))}) == 4


@pytest.mark.parametrize(
    ("last_ts", "start", "expected"),
    [
        pytest.param("5", "10", "10", id="numbers, not texts"),
        pytest.param("10", "5", "10", id="what was read is not read again"),
        pytest.param("page-7", "5", "page-7", id="Webim's own word"),
    ],
)
def test_pages_begin_where_the_last_one_ended_or_with_the_first_transfer(
    last_ts: str, start: str, expected: str
) -> None:
    assert later(last_ts, start) == expected
