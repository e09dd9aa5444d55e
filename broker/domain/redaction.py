"""Pure: what an outside system said, such that it may be looked at: its shape and its ids, nothing that people wrote.

Whatever is not known to be harmless is hidden, so a member that nobody has heard of shows nothing either.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

HIDDEN = "<hidden>"

_HIDDEN_NAME = re.compile(r"token|secret|key|auth|passw|name|url|link|avatar|mail|phone|title", re.IGNORECASE)
"""Even how long these are is nobody's business."""
_PLAIN_NAME = re.compile(
    r"(?:[a-z_]*_)?(?:id|at|type|status)|action|channel|language_code|tag|composing_status", re.IGNORECASE
)
"""Names of members that hold ids, moments and words from a list."""
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_:.+/-]{1,300}")
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def redacted(value: JsonValue, name: str = "") -> JsonValue:
    """The same, with texts as how long they are; ``name`` is the member that it stands at."""
    if value is not None and _HIDDEN_NAME.search(name):
        return HIDDEN
    match value:
        case dict():
            members = enumerate(value.items(), start=1)
            return {_member(member, place): redacted(each, member) for place, (member, each) in members}
        case list():
            return [redacted(each, name) for each in value]
        case str() if not (_PLAIN_NAME.fullmatch(name) and _PLAIN_TEXT.fullmatch(value)):
            return f"<{len(value)} characters>" if value else ""
        case float() | int() if not isinstance(value, bool) and _is_long(value):
            return "<a number>"
        case _:
            return value


def _member(name: str, place: int) -> str:
    """Names come from outside as well."""
    return name if _MEMBER.fullmatch(name) else f"<member {place}>"


def _is_long(number: float) -> bool:
    """As a phone's or a customer's number is; counts are shorter."""
    return abs(number) >= 1_000_000
