"""What is asked of the backbone by request and reply: one model for each verb's body; replies.py has the answers.

The verbs that take a documented task (register, linkset, linkdelete, notify) read it with the models of that task.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from broker.domain.events import UUID, Label, StubName, Text
from broker.domain.ids import Branch
from broker.domain.wire import Wire

TRANSCRIPT_EVENTS_MAX = 1_000
REGISTRATIONS_MAX = 1_000
REGISTRATION_PLACE = r"^[0-9]{1,20}\.[0-9a-f-]{36}$"
"""A registration's place in the order, as ``next`` tells it: when it was made, and its uuid."""
ROUTES_MAX = 1_000


class Deregister(Wire):
    """Verb ``deregister``: forget a registration; one that is not there is no error."""

    uuid: UUID


class ListRegistrations(Wire):
    """Verb ``registrations``: the org's registrations, or those of one stub, oldest first, page by page."""

    stub: StubName | None = None
    after: Annotated[str, StringConstraints(pattern=REGISTRATION_PLACE)] | None = None
    limit: Annotated[int, Field(ge=1, le=REGISTRATIONS_MAX)] = 200


class ListLinks(Wire):
    """Verb ``links``: live links of the org, or of one stub (``<service>.<stubref>``)."""

    stub: StubName | None = None


class CloseStub(Wire):
    """Verb ``stubclose``: the stub (``<service>.<stubref>``) answers no more."""

    stub: StubName


class ShowSession(Wire):
    """Verb ``session``: one session's record and link."""

    sessionuuid: UUID


class ReadTranscript(Wire):
    """Verb ``transcript``: a session's events after a sequence, in order."""

    sessionuuid: UUID
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=TRANSCRIPT_EVENTS_MAX)] = 200


class CreateProfile(Wire):
    """Verb ``profilecreate``: a new webchat on one branch; its name is unique per org and branch."""

    name: Label
    branch: Branch = "draft"
    stub: StubName | None = None
    routes: Annotated[dict[Label, StubName], Field(max_length=ROUTES_MAX)] | None = None
    channel: Label = "webchat"
    title: Label | None = None
    opening_message: Text | None = None


class ListProfiles(Wire):
    """Verb ``profiles``: the org's webchats."""


class ErrorBody(Wire):
    """What went wrong: a code for machines, a sentence for people."""

    code: Label
    message: str


class ErrorReply(Wire):
    """The reply to a command that failed."""

    error: ErrorBody
