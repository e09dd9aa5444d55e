"""Pure: what the values of a connection must be, each rule with the sentence that is shown where it is broken.

The sentences never quote a secret. Source: specs/giosg.md section 2.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from broker.domain.ids import is_session_id

SECRET_CHARACTERS_MIN = 24
DISPLAY_NAME = "{display_name}"
"""What ``visitor_name_template`` may name: what the visitor is called where it comes from."""
NAME_VARIABLE = "username"

_API_TOKEN = re.compile(r"[\x21-\x7e]+")
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PLACEHOLDER = re.compile(r"<.*>")


def _refuse(problem: str) -> PydanticCustomError:
    return PydanticCustomError("connection", "{problem}", {"problem": problem})


def _org(value: str) -> str:
    return _uuid(value, "it is the org of ours whose visitors the desk serves")


def _giosg_uuid(value: str) -> str:
    return _uuid(value, "copy it from giosg")


def _uuid(value: str, hint: str) -> str:
    _refuse_placeholder(value)
    folded = value.lower()
    if not is_session_id(folded):
        raise _refuse(f"expected a uuid with dashes, such as 0a6a1b1c-5a1c-4b6e-9d53-6f0f5f6d2a01: {hint}")
    return folded


def _base_url(value: str) -> str:
    parts = _address(value)
    if parts.path or value.endswith("/"):
        raise _refuse("expected an address without a path and without a slash at the end: https://service.giosg.com")
    return value


def _public_url(value: str) -> str:
    _address(value)
    return value.rstrip("/")


def _address(value: str) -> SplitResult:
    _refuse_placeholder(value)
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _refuse("expected an address such as https://service.giosg.com") from None
    if parts.scheme not in ("http", "https") or not host or not value.isascii() or re.search(r"[\x00-\x20]", value):
        raise _refuse("expected an address such as https://service.giosg.com")
    if parts.query or parts.fragment or "?" in value or "#" in value or "@" in parts.netloc:
        raise _refuse("expected an address with nothing beside the host: no user, no '?', no '#'")
    if parts.scheme == "http" and not is_loopback(host):
        raise _refuse(f"expected https: only this machine's own addresses may be reached by http, and {host} is none")
    return parts


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _api_token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    _refuse_placeholder(token)
    if not _API_TOKEN.fullmatch(token):
        raise _refuse("expected giosg's API token: printable ASCII without blanks")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    _refuse_placeholder(secret)
    if not _URL_SAFE.fullmatch(secret) or len(secret) < SECRET_CHARACTERS_MIN:
        found = "" if len(secret) >= SECRET_CHARACTERS_MIN else f", and it has {len(secret)}"
        raise _refuse(
            f"expected at least {SECRET_CHARACTERS_MIN} letters, digits, '-', '_', '.' or '~'{found}: "
            "make one with 'openssl rand -hex 24'"
        )
    return value


def _refuse_placeholder(value: str) -> None:
    if _PLACEHOLDER.search(value):
        raise _refuse("this is the placeholder '<...>' of an example: put your own value there")
    if not value.strip():
        raise _refuse("it is empty")


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise _refuse("expected a language's code, such as 'en' or 'fi'")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise _refuse("expected 1 to 63 of a-z, 0-9, '-' and '_', a letter or digit first, such as 'support'")
    return value


def _name_template(value: str) -> str:
    if re.search(r"[{}]", value.replace(DISPLAY_NAME, "")):
        raise _refuse(f"it may hold {DISPLAY_NAME} and no other braces")
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    if any(not key.strip() for key in value):
        raise _refuse("a key is empty: giosg's console shows each variable by its key")
    if NAME_VARIABLE in value:
        raise _refuse(f"{NAME_VARIABLE!r} is the visitor's name: set visitor_name_template instead")
    return value


def _presence(value: int) -> int:
    return _zero_or(value, 30, 3600, "seconds for which a visitor counts as there")


def _reconcile(value: int) -> int:
    return _zero_or(value, 15, 3600, "seconds between looks at what webhooks may have missed")


def _zero_or(value: int, least: int, most: int, what: str) -> int:
    if value and not least <= value <= most:
        raise _refuse(f"expected {least} to {most} {what}, or 0 for none; found {value}")
    return value


OrgUuid = Annotated[str, AfterValidator(_org)]
GiosgUuid = Annotated[str, AfterValidator(_giosg_uuid)]
"""Upper case is folded, in both."""
BaseUrl = Annotated[str, AfterValidator(_base_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""It may have a path, where something in front of the worker puts one before ours."""
ApiToken = Annotated[SecretStr, AfterValidator(_api_token)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
Language = Annotated[str, AfterValidator(_language)]
ConnectionName = Annotated[str, AfterValidator(_name)]
NameTemplate = Annotated[str, AfterValidator(_name_template)]
Variables = Annotated[dict[str, str], AfterValidator(_variables)]
PresenceSeconds = Annotated[int, AfterValidator(_presence)]
ReconcileSeconds = Annotated[int, AfterValidator(_reconcile)]
