"""The names and ids that may stand in a subject, each with the one function that lets it in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NewType, Self, get_args
from uuid import UUID

from broker.errors import InvalidNameError

ChannelName = NewType("ChannelName", str)
OrgId = NewType("OrgId", str)
ChatName = NewType("ChatName", str)
SessionId = NewType("SessionId", str)
ServiceName = NewType("ServiceName", str)
Stubref = NewType("Stubref", str)
ActionName = NewType("ActionName", str)
MessageId = NewType("MessageId", str)
ConnectionName = NewType("ConnectionName", str)
RegistrationId = NewType("RegistrationId", str)

Branch = Literal["draft", "live"]
BRANCHES: tuple[Branch, ...] = get_args(Branch)

NO_ORG = OrgId("00000000-0000-0000-0000-000000000000")
"""Stands in a dead letter's subject where the original named no org that we could read."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHANNEL = re.compile(r"[a-z][a-z0-9]{0,31}")
_CHAT_NAME = re.compile(r"[a-z0-9_-]{1,68}")
_NEW_NAME = re.compile(r"[a-z0-9]{1,63}")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_STUBREF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ACTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,200}")


def org_id(text: str) -> OrgId:
    """Raise InvalidNameError unless the text is a uuid in its usual lower-case form with dashes."""
    return OrgId(_matching(_UUID, text, "org uuid", "a lower-case uuid with dashes"))


def session_id(text: str) -> SessionId:
    """Raise InvalidNameError unless the text is a uuid in its usual lower-case form with dashes."""
    return SessionId(_matching(_UUID, text, "session uuid", "a lower-case uuid with dashes"))


def is_session_id(text: str) -> bool:
    """Whether the text is a uuid in its usual lower-case form with dashes."""
    return _UUID.fullmatch(text) is not None


def new_session_id(random: UUID) -> SessionId:
    """The session id of a freshly drawn version 4 uuid."""
    return SessionId(str(random))


def registration_id(text: str) -> RegistrationId:
    """Raise InvalidNameError unless the text is a uuid in its usual lower-case form with dashes."""
    return RegistrationId(_matching(_UUID, text, "registration uuid", "a lower-case uuid with dashes"))


def channel_name(text: str) -> ChannelName:
    """Raise InvalidNameError unless the text can name a channel."""
    return ChannelName(
        _matching(_CHANNEL, text, "channel name", "1 to 32 of a-z and 0-9, a letter first, such as 'webchat'")
    )


def chat_name(text: str) -> ChatName:
    """The effective name in a path, branch prefix included; looser than new names.

    Source: specs/stubber-webchat.md section 3, decision 4 (documented paths hold underscores).
    """
    return ChatName(
        _matching(_CHAT_NAME, text, "chat name", "1 to 68 of a-z, 0-9, '_' and '-', such as 'draftmywebchat'")
    )


def new_chat_name(text: str) -> str:
    """The bare name of a webchat about to be created, without its branch.

    Source: specs/stubber-webchat.md section 3, decision 3.
    """
    rule = "1 to 63 of a-z and 0-9, not beginning with 'draft' or 'live', such as 'mywebchat'"
    name = _matching(_NEW_NAME, text, "chat name", rule)
    if name.startswith(BRANCHES):
        raise InvalidNameError("chat name", text, expected=rule)
    return name


def branch_name(text: str) -> Branch:
    """Raise InvalidNameError unless the text is one of the two branches."""
    for branch in BRANCHES:
        if text == branch:
            return branch
    raise InvalidNameError("branch", text, expected="'draft' or 'live'")


def effective_chat_name(branch: Branch, name: str, *, live_prefix: str = "live") -> ChatName:
    """Branch and name as one token: ``draft`` + ``shop`` = ``draftshop``."""
    prefix = "draft" if branch == "draft" else live_prefix
    return chat_name(prefix + new_chat_name(name))


def branch_of(name: ChatName) -> Branch:
    """The branch that an effective name tells; a bare name is an alias of live."""
    return "draft" if name.startswith("draft") else "live"


def service_name(text: str) -> ServiceName:
    """Raise InvalidNameError unless the text can name a service."""
    return ServiceName(_matching(_SERVICE, text, "service name", "1 to 63 of a-z, 0-9, '_' and '-'"))


def versioned_name(name: str, version: str) -> ServiceName:
    """The service name that one version of a program answers under: ``<name>-<version>``; no version: the name.

    Raises:
        InvalidNameError: both together are no service name.
    """
    return service_name(f"{name}-{version}" if version else name)


def stubref(text: str) -> Stubref:
    """Raise InvalidNameError unless the text can be a stub's reference."""
    rule = "1 to 128 letters, digits, '_' and '-', such as '2024-11-11-ABCD'"
    return Stubref(_matching(_STUBREF, text, "stubref", rule))


def connection_name(text: str) -> ConnectionName:
    """The name of an org's connection to an outside system; it may be a stubref too, as a desk's is."""
    rule = "1 to 128 letters, digits, '_' and '-', such as 'support'"
    return ConnectionName(_matching(_STUBREF, text, "connection name", rule))


def action_name(text: str) -> ActionName:
    """Raise InvalidNameError unless the text can name an action."""
    rule = "1 to 128 letters, digits and '_', no digit first, such as '_update_from_webchat'"
    return ActionName(_matching(_ACTION, text, "action name", rule))


def message_id(text: str) -> MessageId:
    """Raise InvalidNameError unless the text can be an event's id (``Nats-Msg-Id``)."""
    return MessageId(_matching(_MESSAGE_ID, text, "message id", "1 to 200 printable ASCII characters, no space"))


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub's full address: the service that runs it, and its reference there."""

    service: ServiceName
    ref: Stubref

    @classmethod
    def parse(cls, text: str, *, default_service: ServiceName | None = None) -> Self:
        """Read ``<service>.<stubref>``; a stubref alone belongs to ``default_service``."""
        service, dot, ref = text.rpartition(".")
        if dot:
            return cls(service_name(service), stubref(ref))
        if default_service is None:
            raise InvalidNameError("stub", text, expected="<service>.<stubref>, such as 'demo.2024-11-11-ABCD'")
        return cls(default_service, stubref(ref))

    def __str__(self) -> str:
        return f"{self.service}.{self.ref}"


def _matching(rule: re.Pattern[str], text: str, what: str, expected: str) -> str:
    if not rule.fullmatch(text):
        raise InvalidNameError(what, text, expected=expected)
    return text
