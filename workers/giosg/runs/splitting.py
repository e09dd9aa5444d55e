"""Pure: a text that is too long for one message becomes several, whose concatenation is the text.

Source: specs/giosg.md section 3.9 (decision) and check 31.
"""

from __future__ import annotations

import re
import unicodedata

_PARAGRAPH = re.compile(r"\n\s*\n|\n")
_SENTENCE = re.compile(r"[.!?…。！？]+[\"'»”)\]]*\s+|[。！？]+")  # noqa: RUF001 - full-width marks end sentences, too
_WORD = re.compile(r"\s+")

_ZERO_WIDTH_JOINER = "\u200d"
_REGIONAL = range(0x1F1E6, 0x1F1FF + 1)
_SKIN_TONES = range(0x1F3FB, 0x1F3FF + 1)
_TAGS = range(0xE0020, 0xE007F + 1)
_VARIATIONS = range(0xFE00, 0xFE0F + 1)


def split(text: str, *, characters_max: int) -> list[str]:
    """Parts of at most so many code points, in order; none is blank, and a blank text has none.

    Cut behind a paragraph, else a sentence, else a word, else anywhere but inside of what looks like one character.
    """
    parts: list[str] = []
    start = 0
    while len(text) - start > characters_max:
        end = _end_of_part(text, start, characters_max)
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return _without_blanks(parts, characters_max)


def _end_of_part(text: str, start: int, characters_max: int) -> int:
    limit = start + characters_max
    for boundary in (_PARAGRAPH, _SENTENCE, _WORD):
        ends = [found.end() for found in boundary.finditer(text, start, limit)]
        good = [end for end in ends if end - start >= characters_max // 2 and not _joins(text, end)]
        if good:
            return good[-1]
    return _before_cluster(text, start, limit)


def _before_cluster(text: str, start: int, limit: int) -> int:
    """The last place up to the limit that is not inside a cluster; the limit where the whole part is one."""
    end = limit
    while end > start + 1 and _joins(text, end):
        end -= 1
    return end if end > start + 1 else limit


def _joins(text: str, place: int) -> bool:
    """Whether what stands before and behind the place is shown as one character."""
    before, behind = text[place - 1], text[place]
    if _ZERO_WIDTH_JOINER in (before, behind) or (before, behind) == ("\r", "\n"):
        return True
    code = ord(behind)
    if code in _SKIN_TONES or code in _TAGS or code in _VARIATIONS or unicodedata.combining(behind):
        return True
    if unicodedata.category(behind) in ("Me", "Mn", "Mc"):
        return True
    return code in _REGIONAL and _is_odd_regional(text, place)


def _is_odd_regional(text: str, place: int) -> bool:
    """Flags are pairs: whether an odd number of their halves stands before the place."""
    begin = place
    while begin > 0 and ord(text[begin - 1]) in _REGIONAL:
        begin -= 1
    return (place - begin) % 2 == 1


def _without_blanks(parts: list[str], characters_max: int) -> list[str]:
    """Blanks alone are not sent: they go with a neighbour as far as there is room, and are left out where not."""
    kept: list[str] = []
    for part in parts:
        if part.strip():
            kept.append(part)
        elif kept and len(kept[-1]) + len(part) <= characters_max:
            kept[-1] += part
    return kept
