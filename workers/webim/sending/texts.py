"""Pure: the words of a reply, in parts that are short enough, cut where a reader minds least.

Source: specs/webim.md section 3.2.2.
"""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

CLUSTER_CHARACTERS_MAX = 16
"""What looks like one character may be several, such as an emoji with its skin; longer ones are cut after all."""
JOINER = "\u200d"
HTML_CHARACTERS_MAX = 32_768
"""Longer html stays as it is: hostile input costs the parser up to the square of its length."""

_BLOCKS = {"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6"}
_TAG = re.compile(r"</?[a-z][^>]*>")


def words_of(page: str) -> str:
    """What a reader of the html would see, a line for each block."""
    if len(page) > HTML_CHARACTERS_MAX:
        return page
    cleaned = nh3.clean(page, tags=_BLOCKS, attributes={})  # every < that is left belongs to a tag
    return re.sub(r"\n{2,}", "\n", html.unescape(_TAG.sub("\n", cleaned))).strip()


def split_text(text: str, characters_max: int) -> list[str]:
    """Parts of at most so many characters, cut at a newline, else at a space; that one is left out.

    Else anywhere but inside what a reader sees as one character. Blank parts are left out.
    """
    parts: list[str] = []
    rest = text
    while len(rest) > characters_max:
        end, following = _cut(rest, characters_max)
        parts.append(rest[:end].rstrip())
        rest = rest[following:]
    parts.append(rest)
    return [part for part in parts if part.strip()]


def _cut(text: str, characters_max: int) -> tuple[int, int]:
    """Where the first part ends, and where the rest begins."""
    for separator in ("\n", " "):
        place = text.rfind(separator, 0, characters_max + 1)
        if place >= 0:
            return place, place + 1
    place = _between_clusters(text, characters_max)
    return place, place


def _between_clusters(text: str, place: int) -> int:
    for earlier in range(place, max(0, place - CLUSTER_CHARACTERS_MAX), -1):
        if not _belong_together(text[:earlier], text[earlier]):
            return earlier
    return place


def _belong_together(before: str, after: str) -> bool:
    """Whether a reader sees the character as part of the one before it: marks, joined emoji, skins, flags."""
    if after == JOINER or before.endswith(JOINER):
        return True
    if (
        unicodedata.combining(after)
        or unicodedata.category(after) in {"Mn", "Me"}
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    ):
        return True
    if not _is_flag_letter(after):
        return False
    letters = 0
    while letters < min(len(before), CLUSTER_CHARACTERS_MAX) and _is_flag_letter(before[-1 - letters]):
        letters += 1
    return letters % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
