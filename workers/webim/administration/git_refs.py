"""Pure: which texts can name a branch, a tag or a commit.

Source: specs/webim.md section 2.1; https://git-scm.com/docs/git-check-ref-format.
"""

from __future__ import annotations

import re

REF_BYTES_MAX = 255

_COMMIT = re.compile(r"[0-9a-fA-F]{7,40}|[0-9a-fA-F]{64}")
_FORBIDDEN = re.compile(r"\.\.|@\{|//|[\\ ~^:?*\[\x00-\x1f\x7f]")


def may_be_commit(text: str) -> bool:
    """Whether it looks like a commit's hash, whole or begun; a branch may be called so too."""
    return _COMMIT.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether git could have a branch or a tag of that name, or it may be a commit."""
    return may_be_commit(text) or (_fits(text) and all(map(_is_component, text.split("/"))))


def _fits(text: str) -> bool:
    return (
        0 < len(text.encode(errors="replace")) <= REF_BYTES_MAX
        and text != "@"
        and not text.startswith("-")
        and not text.endswith(".")
        and _FORBIDDEN.search(text) is None
    )


def _is_component(part: str) -> bool:
    """One part between slashes; an empty one is a slash too many."""
    return bool(part) and not part.startswith(".") and not part.endswith(".lock")
