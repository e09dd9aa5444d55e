"""Channels whose visitors are phone numbers: the bodies, and the session that a number has there.

A link there is kept by mobile number and profile. The profile is our chat name, and the session is derived from both,
so subjects, partitions, the fold and the timers are those of any other channel.
Source: specs/stubber-webchat.md sections 6.1, 6.3 and 8.
"""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints

from broker.domain.events import CHANNELS_MAX, UUID, Label, StubSession, Text
from broker.domain.ids import ChannelName, SessionId
from broker.domain.subjects import ChatPath
from broker.domain.wire import NUMBER_PATTERN, Body, Wire, validate
from broker.errors import InvalidBodyError

_SESSIONS = uuid.UUID("6d2f7a34-3c0e-5b51-8a53-0f5a3ad0c1de")
_WRITTEN_BETWEEN = re.compile(r"[\s()./-]")


def _digits(value: Any) -> Any:
    """The number as it is kept: digits alone, country code first; what is no number is left for the pattern."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _WRITTEN_BETWEEN.sub("", value).removeprefix("+") if isinstance(value, str) else value


PhoneNumber = Annotated[str, StringConstraints(pattern=NUMBER_PATTERN), BeforeValidator(_digits)]
"""Text or a number; a leading ``+`` is dropped. No country code begins with 0: a national number would never match."""


class PhoneAddress(Wire):
    """Whom a stub means: a number at a profile, or the session that they have; in a subject's place either suffices."""

    sessionuuid: UUID | None = None
    mobile_number: PhoneNumber | None = None
    profile_name: Label | None = None


class PhoneContent(Wire):
    """What somebody sent from a phone, under ``heimdall.<channel>``; the run's data hold it as it came."""

    sender: PhoneNumber
    message: Text = ""
    from_name: Text | None = None
    to: Text | int | None = None
    profile_name: Label | None = None
    body: dict[str, JsonValue] | None = None

    @property
    def text(self) -> str:
        """The written text; becomes ``stubpost.message``."""
        return self.message


class PhoneNotification(PhoneAddress):
    """What a stub sends to a phone: the adapter reads the rest, the backbone the link that it wishes for."""

    stubsession: StubSession | None = Field(default=None)


_Phone = TypeVar("_Phone", bound=Wire)


def phone_session(path: ChatPath, number: str) -> SessionId:
    """The session of a number at a profile: the same for ever, whoever computes it."""
    return SessionId(str(uuid.uuid5(_SESSIONS, f"{path.channel}.{path.org}.{path.chat}.{number}")))


@lru_cache(CHANNELS_MAX)
def phone_model(model: type[_Phone], channel: ChannelName) -> type[_Phone]:
    """The model with the documented member names of one channel, such as ``whatsapp_profile_name``."""
    spelled = {"sender": "from", "profile_name": f"{channel}_profile_name", "body": f"{channel}_body"}
    config = ConfigDict(alias_generator=lambda field: spelled.get(field, field), populate_by_name=False)
    name = f"{channel.capitalize()}{model.__name__}"
    return type(name, (model,), {"model_config": config, "__module__": __name__, "__doc__": model.__doc__})


def read_phone_visit(channel: ChannelName, body: Body) -> tuple[PhoneContent, Body]:
    """The content under ``heimdall.<channel>``, as a model and as it came.

    Raises:
        InvalidBodyError: it is missing or does not validate.
    """
    payload = member_of(body, "heimdall", (channel,), what=f"{channel} event")
    return validate(phone_model(PhoneContent, channel), payload, what=f"{channel} event"), payload


def read_phone_notification(channel: ChannelName, body: Body) -> PhoneNotification:
    """The content under ``platforms.<channel>``, or ``platforms.meta_<channel>`` as newer pages have it.

    Raises:
        InvalidBodyError: it is missing or does not validate.
    """
    what = f"{channel} notification"
    content = member_of(body, "platforms", (channel, f"meta_{channel}"), what=what)
    read: PhoneNotification = validate(phone_model(PhoneNotification, channel), content, what=what)
    return read


def session_at(path: ChatPath, address: PhoneAddress, *, what: str) -> SessionId | None:
    """The session that a stub means at this profile, None if it names neither a session nor a number.

    Raises:
        InvalidBodyError: it names another profile, or a session that is not the number's.
    """
    check_profile(path, address.profile_name, what=what)
    named = None if address.sessionuuid is None else SessionId(address.sessionuuid)
    if address.mobile_number is None:
        return named
    session = phone_session(path, address.mobile_number)
    if named not in (None, session):
        raise InvalidBodyError(what, ("sessionuuid: it is not the one of this number and profile",))
    return session


def check_profile(path: ChatPath, profile_name: str | None, *, what: str) -> None:
    """Raise InvalidBodyError where a body names another profile than its subject."""
    if profile_name not in (None, path.chat):
        raise InvalidBodyError(what, (f"{path.channel}_profile_name: it is not the chat in the subject",))


def member_of(body: Body, outer: str, names: tuple[str, ...], *, what: str) -> Body:
    """The first of these objects that is there.

    Raises:
        InvalidBodyError: none is.
    """
    inside: Any = body.get(outer)
    for name in names:
        member = inside.get(name) if isinstance(inside, dict) else None
        if isinstance(member, dict):
            return member
    raise InvalidBodyError(what, (f"{outer}.{names[0]}: an object is required here",))
