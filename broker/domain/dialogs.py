"""Questions and answers: how a channel that asks programs, as Webim does, tells what a visitor did and is answered.

The question is the member ``<channel>_request`` of a visitor's event, the answer ``<channel>_response`` of a
notification; the members that every channel has (``<channel>_message``) stand beside them and mean what they always do.
Source: specs/webim.md sections 3.2.2, 3.2.3, 4 and 5.1.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from broker.domain.events import Label, Text
from broker.domain.ids import ChannelName
from broker.domain.wire import Body, Wire, validate

REPLIES_MAX = 64
ACTIONS_MAX = 16

NEW_CHAT_STARTED = "newChatStarted"
FILE_EVENT = "fileEvent"
LIVECHAT_STARTED = "livechatStarted"
LIVECHAT_FINISHED = "livechatFinished"
NO_OPERATORS = "noLivechatOperatorsOnline"
DIALOG_MESSAGE = "operatorDialog"
"""Ours: one message of the dialog that an operator had with the visitor, collected afterwards."""

NEWS = frozenset((LIVECHAT_STARTED, LIVECHAT_FINISHED, NO_OPERATORS, DIALOG_MESSAGE))
"""Events that tell a program what became of its chat: nobody waits for an answer, though one may be given."""


class Pressed(Wire):
    """A pressed button."""

    id: str | None = None
    text: str | None = None


class RequestData(Wire):
    """What came with a question, in parts. ``messages``: the parts that were combined into ``query``."""

    chatId: str  # noqa: N815 - the documented name
    messages: list[dict[str, JsonValue]] = Field(default_factory=list)
    files: list[dict[str, JsonValue]] = Field(default_factory=list)
    button: Pressed | None = None


class DialogRequest(Wire):
    """One thing that a visitor or the channel did; of ``query`` and ``event`` there is exactly one.

    ``event_data`` belongs to the event, ``raw_request`` is the channel's call as it came (None where the event is our
    own). ``branch`` and ``commit`` say which version of the program the session began with, None if none is managed.
    """

    channel_id: Label
    channel_type: Label
    branch: str | None = None
    commit: str | None = None
    conversation_id: Label
    client_id: Label
    visitor_id: str | None = None
    session_id: Label
    new_session: bool = False
    question_id: Label
    query: Text | None = None
    event: Label | None = None
    event_data: JsonValue = None
    data: RequestData | None = None
    user_from: dict[str, JsonValue] = Field(default_factory=dict)
    raw_request: dict[str, JsonValue] | None = None
    api_version: Label | None = None
    received_at: Label


class DialogResponse(Wire):
    """The whole answer to one question; replies are shown in their order, then the first action is carried out.

    Replies and actions are read one by one by the adapter, so that one it does not know does not spoil the others.
    ``newSessionStarted``: the program has forgotten what it knew and took this question as the first of a new session;
    the conversation, its session uuid and its link stay, since what the program has learnt since lies with its stub.
    ``endSession``: the conversation ends after this answer, and the chat's next message begins another.
    """

    question_id: Label | None = None
    replies: Annotated[list[dict[str, JsonValue]], Field(max_length=REPLIES_MAX)] = Field(default_factory=list)
    actions: Annotated[list[dict[str, JsonValue]], Field(max_length=ACTIONS_MAX)] = Field(default_factory=list)
    newSessionStarted: bool = False  # noqa: N815 - the documented name
    endSession: bool = False  # noqa: N815 - the documented name


def request_member(channel: ChannelName) -> str:
    """Where the question stands in a visitor's content."""
    return f"{channel}_request"


def response_member(channel: ChannelName) -> str:
    """Where the answer stands in a notification's content."""
    return f"{channel}_response"


def request_in(channel: ChannelName, payload: Body) -> DialogRequest | None:
    """The question in a visitor's content, None if the event is none.

    Raises:
        InvalidBodyError: it does not validate.
    """
    found = payload.get(request_member(channel))
    return None if found is None else validate(DialogRequest, found, what=f"{channel} request")


def response_in(channel: ChannelName, payload: Body) -> DialogResponse | None:
    """The answer in a notification's content, None if it has none.

    Raises:
        InvalidBodyError: it does not validate.
    """
    found = payload.get(response_member(channel))
    return None if found is None else validate(DialogResponse, found, what=f"{channel} response")
