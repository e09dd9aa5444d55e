"""Pure: one call of giosg's API, and the ids that may stand in its address.

Source: specs/giosg.md section 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urljoin, urlsplit

from broker.domain.wire import Body
from broker.errors import AnswerIncompleteError, InvalidNameError
from workers.giosg.wire import GIOSG_ID_PATTERN

CallName = Literal[
    "authenticate",
    "enter_room",
    "keep_present",
    "set_variable",
    "room",
    "create_chat",
    "chats",
    "chat",
    "send",
    "messages",
    "message",
    "memberships",
    "participate",
    "end",
]
"""C1 to C13, in their order; the word in errors, logs and metrics."""
Method = Literal["GET", "POST", "PUT", "PATCH"]
Scheme = Literal["Token", "Bearer"]
"""Whose word it is: the organization's, or a visitor's."""

ONCE: frozenset[CallName] = frozenset(("create_chat", "send"))
"""Each makes something new: what may have been done is not simply done again."""

BEST_EFFORT: frozenset[CallName] = frozenset(("set_variable", "keep_present", "participate"))
"""Nothing depends on them, so nothing waits long for them."""

_ID = re.compile(GIOSG_ID_PATTERN.strip("^$"))
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """A call; ``path`` begins with ``/``, and goes to the connection's own address, whatever an answer said.

    ``body`` None: there is none; an empty one is sent as nothing at all. ``credential``: the token of the scheme.
    """

    name: CallName
    method: Method
    path: str
    body: Body | None = field(default=None, repr=False)
    scheme: Scheme | None = None
    credential: str = field(default="", repr=False)

    @property
    def is_once(self) -> bool:
        """Whether it must not be done twice."""
        return self.name in ONCE

    def at(self, path: str) -> Request:
        """The same call, elsewhere at giosg."""
        return replace(self, path=path)


def giosg_id(text: str) -> str:
    """An id that may stand in an address.

    Raises:
        InvalidNameError: it is none of giosg's.
    """
    if not _ID.fullmatch(text):
        raise InvalidNameError("giosg id", text, expected="1 to 256 letters, digits, '_' and '-'")
    return text


def next_path(to: str, base_url: str, here: str, following: str) -> str:
    """Where a collection's next page is, as a path at ``base_url``; ``here``: the path of the page that says so.

    Raises:
        AnswerIncompleteError: it is at another host: our tokens are for giosg alone.
    """
    try:
        found = urlsplit(urljoin(base_url + here, following))
        is_there = _origin(found.geturl()) == _origin(base_url) and "@" not in found.netloc
    except ValueError:
        is_there = False
    if not is_there:
        problem = "'next' leads to another host than the connection's base_url, and is not followed"
        raise AnswerIncompleteError(to, field="next", problem=problem)
    return found.path + (f"?{found.query}" if found.query else "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
