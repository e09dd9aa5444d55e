"""Pure: when to look at an operator's dialog again, what a look makes of its note, and when the dialog is over.

Source: specs/webim.md section 3.3 and D-18: Webim's own mark of an end is unknown.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from workers.webim.chat.chats import MS_PER_S, Chat
from workers.webim.chat.transfer_notes import TransferNote
from workers.webim.collecting.dialog import INFO_KIND, Dialog

COLLECTED_MS_MAX = 24 * 3_600_000
"""After the transfer; then the dialog counts as over."""
SILENCE_MS = 30 * 60_000
"""After a last word of Webim's own, behind an operator's: then the dialog counts as over."""
CLOSING_MS_MAX = 10 * 60_000
"""How long an end that is known is not told, because what is new in the dialog cannot be had."""
CLAIM_MS = 30_000
"""For so long a dialog belongs to the process that has begun to look; longer than one call may take."""
CLOSING_AGAIN_MS = 5_000
SLOWER_MAX = 10
"""Intervals between looks that fail again and again."""

Standing = Literal["ours", "not_yet", "given_back", "over"]


def standing_of(note: TransferNote, chat: Chat | None) -> Standing:
    """What the chat's record says of the note: a transfer is saved only after its note is written."""
    if chat is None or (chat.session == note.chat.session and chat.state == "closed"):
        return "over"
    if chat.session != note.chat.session:
        return "given_back"
    return "ours" if chat.state == "transferred" else "not_yet"


def claimed(note: TransferNote, *, now_ms: int) -> TransferNote:
    """The note of a dialog that somebody is looking at."""
    return note.model_copy(update={"next_poll_at_ms": now_ms + CLAIM_MS})


def seen(note: TransferNote, dialog: Dialog, *, has_spoken: bool, now_ms: int) -> TransferNote:
    """The note after all of a dialog that has changed was told. ``has_spoken``: an operator has."""
    changes = {
        "failures": 0,
        "mark": mark_of(dialog),
        "changed_at_ms": now_ms,
        "closing_words": has_spoken and bool(dialog.messages) and dialog.messages[-1].kind == INFO_KIND,
    }
    return note.model_copy(update=changes)


def failed(note: TransferNote, *, interval_s: int, now_ms: int) -> TransferNote:
    """The note after a look that brought nothing: the next ones are further apart, unless the end is waited for."""
    failures = min(note.failures + 1, SLOWER_MAX)
    wait_ms = CLOSING_AGAIN_MS if note.closing_since_ms is not None else failures * interval_s * MS_PER_S
    return note.model_copy(update={"failures": failures, "next_poll_at_ms": now_ms + wait_ms})


def waiting(note: TransferNote, *, wait_s: int, now_ms: int) -> TransferNote:
    """The note until the next look: sooner where the dialog would count as over before."""
    ends_ms = note.since_ms + COLLECTED_MS_MAX
    if note.closing_words:
        ends_ms = min(ends_ms, note.changed_at_ms + SILENCE_MS)
    return note.model_copy(update={"next_poll_at_ms": max(now_ms, min(now_ms + wait_s * MS_PER_S, ends_ms))})


def is_over(note: TransferNote, dialog: Dialog, *, now_ms: int) -> bool:
    """Whether the operator is done, judged by a dialog of which all has been told."""
    is_silent = note.closing_words and now_ms - note.changed_at_ms >= SILENCE_MS
    return dialog.is_closed or note.closing_since_ms is not None or is_silent or is_too_old(note, now_ms=now_ms)


def is_given_up(note: TransferNote, *, now_ms: int) -> bool:
    """Whether the end is told although what is new in the dialog cannot be had."""
    is_due = note.closing_since_ms is not None and now_ms - note.closing_since_ms >= CLOSING_MS_MAX
    return is_due or is_too_old(note, now_ms=now_ms)


def is_too_old(note: TransferNote, *, now_ms: int) -> bool:
    """Whether the dialog has been collected for as long as any is."""
    return now_ms - note.since_ms >= COLLECTED_MS_MAX


def mark_of(dialog: Dialog) -> str:
    """The same for a dialog with the same messages."""
    told = hashlib.sha256(str(len(dialog.messages)).encode())
    for message in dialog.messages[-1:]:
        told.update(message.key.encode())
    return told.hexdigest()
