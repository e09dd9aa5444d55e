"""Pure: what may stand in each field of a channel's form, and what is said of a value that may not.

Source: specs/webim.md sections 2 and 6.2. A reader takes what JSON held and gives the value to keep, or a ``Problem``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workers.webim.administration.git_refs import REF_BYTES_MAX, is_reference

NAME_CHARACTERS_MAX = 100
EMAIL_CHARACTERS_MAX = 254
PASSWORD_CHARACTERS_MAX = 256
TOKEN_CHARACTERS_MAX = 512
SEPARATOR_CHARACTERS_MAX = 8
DEFAULT_BRANCH = "master"
BLANK = ""
"""What an empty name reads as: the form chooses the default one, which depends on the others."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s:]+@[^@\s.:]+(\.[^@\s.:]+)+")  # a colon would end the user of HTTP Basic
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_HOST_END = re.compile(r"[/:?#]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: a code for machines, and for people what to do about it."""

    code: str
    hint: str


Value = str | int | bool | None
Reader = Callable[[object], Value | Problem]


def _not_text(*, optional: bool = False) -> Problem:
    return Problem("wrong_type", "give a text, or null for none" if optional else "give a text")


def _name(value: object) -> Value | Problem:
    if not isinstance(value, str):
        return _not_text()
    if _has_control(value.strip()):
        return Problem("control_characters", "leave out line ends, tabs and other control characters")
    if len(value.strip()) > NAME_CHARACTERS_MAX:
        return _too_long(NAME_CHARACTERS_MAX)
    return value.strip() or BLANK


def _email(value: object) -> Value | Problem:
    if value is None:
        return None
    if not isinstance(value, str):
        return _not_text(optional=True)
    trimmed = value.strip()
    if not trimmed:
        return None
    if len(trimmed) > EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(trimmed) or _has_control(trimmed):
        return Problem("invalid_email", "give a mail address such as 'admin@example.com', at most 254 characters")
    return trimmed


def _password(value: object) -> Value | Problem:
    """Kept as it is, blanks included."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return _not_text(optional=True)
    return _too_long(PASSWORD_CHARACTERS_MAX) if len(value) > PASSWORD_CHARACTERS_MAX else value


def _domain(value: object) -> Value | Problem:
    if value is None or (isinstance(value, str) and not value.strip()):
        return DOMAIN_MISSING
    if not isinstance(value, str):
        return _not_text()
    domain = value.strip()
    if domain.isascii() and _LABEL.fullmatch(domain.lower()):
        return domain.lower()
    if (label := _label_in(domain)) is not None:
        return Problem("not_a_label", f"enter `{label}`: the account's own label alone, not an address")
    rule = "1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'"
    return Problem(
        "not_a_label", f"enter the account's label alone, as `examplecom` of https://examplecom.webim.ru: {rule}"
    )


def _label_in(text: str) -> str | None:
    """The label that whoever wrote an address or a host name meant."""
    host = _HOST_END.split(_SCHEME.sub("", text.lower(), count=1), maxsplit=1)[0]
    label = host.rpartition("@")[2].split(".")[0]
    return label if _LABEL.fullmatch(label) else None


def _branch(value: object) -> Value | Problem:
    if not isinstance(value, str):
        return _not_text()
    reference = value.strip() or DEFAULT_BRANCH
    if is_reference(reference):
        return reference
    hint = f"give a branch, a tag or a commit as git writes them, at most {REF_BYTES_MAX} bytes"
    return Problem("invalid_ref", hint)


def _token(value: object) -> Value | Problem:
    """What goes into a header as it is."""
    if value is None:
        return None
    if not isinstance(value, str):
        return _not_text(optional=True)
    trimmed = value.strip()
    if len(trimmed) > TOKEN_CHARACTERS_MAX:
        return _too_long(TOKEN_CHARACTERS_MAX)
    if trimmed and not _TOKEN.fullmatch(trimmed):
        return Problem("invalid_token", "copy the token as Webim shows it: no blanks, no letters beyond ASCII")
    return trimmed or None


def _separator(value: object) -> Value | Problem:
    if not isinstance(value, str):
        return _not_text()
    if not value:
        return Problem("too_short", f"give 1 to {SEPARATOR_CHARACTERS_MAX} characters, such as a line end")
    return _too_long(SEPARATOR_CHARACTERS_MAX) if len(value) > SEPARATOR_CHARACTERS_MAX else value


def _basic_user(value: object) -> Value | Problem:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return _not_text(optional=True)
    if len(value) > PASSWORD_CHARACTERS_MAX:
        return _too_long(PASSWORD_CHARACTERS_MAX)
    if ":" in value or _has_control(value):
        return Problem("not_allowed", "leave out ':' and control characters, which a user of HTTP Basic cannot have")
    return value


def _flag(value: object) -> Value | Problem:
    return value if isinstance(value, bool) else Problem("wrong_type", "give true or false")


def _one_of(*allowed: str) -> Reader:
    known = " or ".join(f"'{one}'" for one in allowed)

    def read(value: object) -> Value | Problem:
        if not isinstance(value, str):
            return Problem("wrong_type", f"give the text {known}")
        return value if value in allowed else Problem("not_allowed", f"give {known}")

    return read


def _whole(least: int, most: int, unit: str) -> Reader:
    def read(value: object) -> Value | Problem:
        if isinstance(value, bool) or not isinstance(value, int):
            return Problem("wrong_type", f"give a whole number of {unit}")
        return value if least <= value <= most else Problem("out_of_range", f"give {least} to {most} {unit}")

    return read


def _too_long(most: int) -> Problem:
    return Problem("too_long", f"give at most {most} characters")


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)


DOMAIN_MISSING = Problem("required", "enter the account's label, as `examplecom` of https://examplecom.webim.ru")

FIELDS: Mapping[str, Reader] = MappingProxyType(
    {
        "name": _name,
        "email": _email,
        "password": _password,
        "domain": _domain,
        "branch": _branch,
        "deployment": _one_of("automatic", "manual"),
        "bot_api_token": _token,
        "api_version": _one_of("auto", "1", "2"),
        "v1_actions": _one_of("emit", "queue"),
        "v1_timeout_ms": _whole(500, 25_000, "milliseconds"),
        "deliver_init_replies": _flag,
        "combine_separator": _separator,
        "max_text_len": _whole(100, 32_000, "characters"),
        "session_idle_ttl_s": _whole(60, 2_592_000, "seconds"),
        "inbound_basic_user": _basic_user,
        "inbound_basic_password": _password,
        "log_poll_interval_s": _whole(10, 3_600, "seconds"),
    }
)
"""By name; what an administrator of the server sets is none of them."""
