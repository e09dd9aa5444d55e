"""Pure: one run for the desk, as it lies on the bus."""

from __future__ import annotations

from dataclasses import dataclass

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.channels import platform_of
from broker.domain.events import Delivery as RunBody
from broker.domain.grammar import parse_conversation_prefix, parse_subject
from broker.domain.ids import ActionName, ChannelName, OrgId, SessionId
from broker.domain.subjects import Conversation, DeliverySubject
from broker.domain.wire import Body, validate
from broker.errors import InvalidSubjectError, NoConversationError
from broker.runtime.deadletters import Original

TAKEN = ActionName("_taken")
"""The desk has the conversation from now on."""
RELEASED = ActionName("_released")
"""The desk has it no more."""


@dataclass(frozen=True, slots=True)
class DeskRun:
    """One run. ``event``: the sequence, in the log, of what caused it; ``kind``: what that was, empty if not told.

    ``payload``: the visitor's event as it came, empty where none caused the run.
    """

    org: OrgId
    connection: str
    action: ActionName
    sequence: int
    event: int
    kind: str
    conversation: Conversation
    text: str
    payload: Body
    data: Body
    stored_at_ms: int

    @property
    def session(self) -> SessionId:
        """The conversation's session."""
        return self.conversation.session

    @property
    def channel(self) -> ChannelName:
        """Where the visitor is."""
        return self.conversation.path.channel


def read_run(original: Original) -> DeskRun:
    """The run that a stored message asks for.

    Raises:
        BackboneError: it is none, or about no conversation of its org.
    """
    subject = parse_subject(original.subject)
    if not isinstance(subject, DeliverySubject):
        raise InvalidSubjectError(original.subject, problem="expected a run for a desk")
    prefix = original.headers.get(names.CONVERSATION)
    if prefix is None:
        raise NoConversationError(str(subject.stub))
    conversation = parse_conversation_prefix(prefix)
    if conversation.path.org != subject.org:
        raise InvalidSubjectError(prefix, problem=f"a run of org {subject.org} cannot be about it")
    post = validate(RunBody, decode(original.data), what="run").stubpost
    event = original.headers.get(names.EVENT, "")
    return DeskRun(
        org=subject.org,
        connection=subject.stub.ref,
        action=subject.action,
        sequence=original.sequence,
        # what nobody said has a number that no event has
        event=int(event) if event.isascii() and event.isdecimal() else -original.sequence,
        kind=original.headers.get(names.KIND, ""),
        conversation=conversation,
        text=post.message,
        payload=_payload(conversation.path.channel, dict(post.data)),
        data=dict(post.data),
        stored_at_ms=original.stored_at_ms,
    )


def _payload(channel: ChannelName, data: Body) -> Body:
    """The visitor's event: of the owner's run, else of a registration's."""
    found = data.get(platform_of(channel).data_key)
    if not isinstance(found, dict):
        heard = data.get("heimdall")
        found = heard.get(channel) if isinstance(heard, dict) else None
    return dict(found) if isinstance(found, dict) else {}
