"""Pure: what a visitor's event says that giosg can be told: a text, a name, what is known of the visitor.

Source: specs/giosg.md section 6.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.domain.ids import ChannelName, SessionId
from broker.domain.wire import Body

NAME_CHARACTERS_MAX = 255
VALUE_CHARACTERS_MAX = 255
ATTRIBUTES_MAX = 32
NAMES = ("display_name", "displayName", "name", "full_name", "fullName", "nickname", "nickName")
IDS = ("id", "user_id", "userId", "uuid", "external_id", "externalId")
TOLD_APART = 24
"""Hexadecimal digits that tell one visitor of a channel from another."""


@dataclass(frozen=True, slots=True)
class Said:
    """``text``: what is to be sent, empty for nothing. ``unsupported``: files of which there is no link."""

    text: str
    unsupported: int = 0


def said_in(channel: ChannelName, payload: Body, text: str) -> Said:
    """What the visitor wrote, pressed or attached.

    A file is told by its name and link: giosg has no upload for visitors. A pressed button is its text.
    """
    lines = [text] if text.strip() else []
    if not lines and (pressed := _pressed(channel, payload)):
        lines.append(pressed)
    unsupported = 0
    for name, link in _files(channel, payload):
        if link is None:
            unsupported += 1
        else:
            lines.append(f"{name}: {link}" if name else link)
    return Said("\n".join(lines), unsupported)


def name_in(channel: ChannelName, payload: Body) -> str:
    """What the visitor is called there, empty if nobody says."""
    for source in _sources(channel, payload):
        if found := _first(source, NAMES):
            return found
        if found := " ".join(filter(None, (_first(source, ("first_name", "firstName")), _first(source, _LAST)))):
            return found
    return ""


def attributes_in(channel: ChannelName, payload: Body) -> dict[str, str]:
    """What is known of the visitor as texts by name, without what it is called."""
    found: dict[str, str] = {}
    profile = payload.get(f"{channel}_profile")
    for key, value in profile.items() if isinstance(profile, dict) else ():
        if key not in (*NAMES, *IDS, "username") and isinstance(value, str | int | float) and str(value).strip():
            found[str(key)[:NAME_CHARACTERS_MAX]] = str(value).strip()[:VALUE_CHARACTERS_MAX]
    return dict(list(found.items())[:ATTRIBUTES_MAX])


def visitor_key(org: str, channel: ChannelName, session: SessionId, payloads: list[Body]) -> str:
    """What a visitor is known by at giosg: the channel's own stable id, else this conversation alone; never a name."""
    known = next(filter(None, (_id_in(channel, payload) for payload in payloads)), None) or session
    digest = hashlib.sha256(f"{org}|{channel}|{known}".encode()).hexdigest()[:TOLD_APART]
    return f"{channel}-{digest}"


def rendered_name(template: str, display_name: str) -> str:
    """The name that agents see, empty for none: a template that needs the visitor's name has none without it."""
    if "{display_name}" in template and not display_name:
        return ""
    return template.replace("{display_name}", display_name).strip()[:NAME_CHARACTERS_MAX].strip()


_LAST = ("last_name", "lastName")


def _id_in(channel: ChannelName, payload: Body) -> str | None:
    request, profile, sender = payload.get(f"{channel}_request"), payload.get(f"{channel}_profile"), payload.get("from")
    if isinstance(request, dict) and (found := _first(request, ("visitor_id",))):
        return found
    if isinstance(profile, dict) and (found := _first(profile, IDS)):
        return found
    return str(sender) if isinstance(sender, str | int) and not isinstance(sender, bool) and str(sender) else None


def _sources(channel: ChannelName, payload: Body) -> Iterator[Mapping[str, Any]]:
    """Where a name may stand, the most telling first."""
    for member in ("profile", "meta_data"):
        if isinstance(found := payload.get(f"{channel}_{member}"), dict):
            yield found
    if isinstance(name := payload.get("from_name"), str):
        yield {"name": name}
    visitor = _inside(payload.get(f"{channel}_request"), "raw_request", "visitor")
    if isinstance(visitor, dict):
        fields = visitor.get("fields")
        yield from (each for each in (fields, visitor) if isinstance(each, dict))


def _files(channel: ChannelName, payload: Body) -> Iterator[tuple[str, str | None]]:
    """Name and link of each file; no link where it can only be fetched from our own store."""
    attached = payload.get(f"{channel}_attachments")
    sent = _inside(payload.get(f"{channel}_request"), "data", "files")
    for each in (*(attached if isinstance(attached, list) else ()), *(sent if isinstance(sent, list) else ())):
        if isinstance(each, dict):
            link = _first(each, ("url", "link"))
            is_web = link.startswith(("https://", "http://"))
            yield _first(each, ("originalname", "name", "filename")), link if is_web else None


def _pressed(channel: ChannelName, payload: Body) -> str:
    message = payload.get(f"{channel}_message")
    value = message.get("value") if isinstance(message, dict) else None
    if isinstance(value, dict) and (found := _first(value, ("text", "title", "label"))):
        return found
    button = _inside(payload.get(f"{channel}_request"), "data", "button")
    return _first(button, ("text",)) if isinstance(button, dict) else ""


def _first(source: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = source.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and (found := str(value).strip()):
            return found
    return ""


def _inside(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
