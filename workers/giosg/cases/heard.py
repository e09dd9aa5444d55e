"""Pure: which of giosg's messages a case has heard, and what its visitor was given of them.

Source: specs/giosg.md sections 5, 6.3 and 6.5.
"""

from __future__ import annotations

import hashlib

from workers.giosg.cases.case import SEEN_MAX, TEXTS_MAX, Case, EndReason
from workers.giosg.wire import MessageView, moment_ms

DELETED = "deleted:"
"""Before a message's id in ``seen``: its visitor was told that it is gone."""
HEARD_AFTER: frozenset[EndReason] = frozenset(("ended_by_giosg", "ended_by_visitor", "identity_lost"))


def seen(case: Case, message: MessageView, *, text: str | None = None) -> Case:
    """The message need not be looked at again. ``text``: what the visitor was given of it, to know an edited one."""
    case = _noted(case, message.id, message.created_at)
    return case if text is None else with_text(case, message.id, text)


def with_text(case: Case, message_id: str, text: str) -> Case:
    """What the visitor was last given of that message."""
    texts = {key: value for key, value in case.texts.items() if key != message_id} | {message_id: hash_of(text)}
    for oldest in list(texts)[: max(0, len(texts) - TEXTS_MAX)]:
        del texts[oldest]
    return case.model_copy(update={"texts": texts})


def deleted(case: Case, message_id: str) -> Case:
    """A message is gone, and its visitor knows; if it is only now told of, it is not shown any more."""
    texts = {key: value for key, value in case.texts.items() if key != message_id}
    case = _noted(_noted(case, message_id, None), f"{DELETED}{message_id}", None)
    return case.model_copy(update={"texts": texts})


def was_seen(case: Case, message: MessageView) -> bool:
    """Whether the message was looked at before, be it so long ago that its id is not kept any more."""
    if message.id in case.seen:
        return True
    until = None if case.chat is None else case.chat.heard_until
    is_of_chat = case.chat is not None and message.chat_id in (None, case.chat.id)
    return is_of_chat and until is not None and not is_later(message.created_at, until)


def is_heard(case: Case, chat_id: str) -> bool:
    """Whether the visitor is told what agents say in that chat: also late, but not where it was left to others."""
    if case.chat is not None and case.chat.id == chat_id:
        return case.end_reason is None or case.end_reason in HEARD_AFTER
    return any(past.id == chat_id and past.reason in HEARD_AFTER for past in case.past)


def hash_of(text: str) -> str:
    """What is kept of a text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _noted(case: Case, entry: str, at: str | None) -> Case:
    if entry in case.seen:
        return case
    entries, chat = [*case.seen, entry], case.chat
    if chat is not None:
        last = at if is_later(at, chat.heard_last) else chat.heard_last
        marks = {"heard_last": last}
        if len(entries) == SEEN_MAX // 2 and chat.heard_half is None:
            marks["heard_half"] = last
        if len(entries) >= SEEN_MAX:
            marks |= {"heard_until": chat.heard_half, "heard_half": last}
        case = case.model_copy(update={"chat": chat.model_copy(update=marks)})
    if len(entries) >= SEEN_MAX:
        entries = entries[-(SEEN_MAX // 2) :]
    return case.model_copy(update={"seen": entries})


def is_later(moment: str | None, than: str | None) -> bool:
    """By giosg's clock; what has no moment is never later than anything, and everything is later than none."""
    at_ms, than_ms = moment_ms(moment), moment_ms(than)
    return at_ms is not None and (than_ms is None or at_ms > than_ms)
