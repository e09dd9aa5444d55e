"""Webchat profiles: which chats exist, how they look, and which stub takes what no link takes."""

from __future__ import annotations

from pydantic import JsonValue

from broker.domain.events import UUID, Label, StubName
from broker.domain.ids import Branch, ChatName, OrgId, Stub, effective_chat_name
from broker.domain.routing import mapped_stub
from broker.domain.wire import Wire


class Profile(Wire):
    """Value in bucket PROFILES, key ``<org>.<branch><name>``: one branch of one chat, so each has its own routing.

    ``stub`` (``<service>.<stubref>``) takes the visitor's events while no link is alive; None means registrations do.
    ``routes`` says so for each route of a channel that has several (Slack's channels), ``__catch_all`` for the rest.
    """

    org: UUID
    branch: Branch
    name: Label
    chat_name: Label
    channel: Label = "webchat"
    profile_uuid: UUID
    stub: StubName | None = None
    routes: dict[Label, StubName] | None = None
    title: Label | None = None
    opening_message: str | None = None
    client_config: dict[str, JsonValue] | None = None

    def fallback(self, route_name: str | None = None) -> Stub | None:
        """The stub that takes what no link takes, on that route."""
        found = mapped_stub(self.routes or {}, route_name, self.stub)
        return None if found is None else Stub.parse(found)


def profile_key(org: OrgId, chat: ChatName) -> str:
    """Where the profile of a chat is kept; creating it there once makes the name unique per org and branch."""
    return f"{org}.{chat}"


def profile_name(branch: Branch, name: str, *, live_prefix: str = "live") -> ChatName:
    """The effective name of a chat about to be created, checked by the rules for new names."""
    return effective_chat_name(branch, name, live_prefix=live_prefix)
