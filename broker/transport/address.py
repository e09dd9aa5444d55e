"""Server addresses, fit to be shown."""

from __future__ import annotations

import re

_SECRETS = re.compile(r"((?:^|,)\s*(?:[a-z]+://)?)[^/,]*@")


def redacted(url: str) -> str:
    """The address (or several) without user and password, fit for logs and messages."""
    return _SECRETS.sub(r"\1", url)
