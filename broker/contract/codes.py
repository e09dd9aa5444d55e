"""The reason codes of dead letters and the error codes of replies, each with what mends it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from broker.errors import (
    ActionMissingError,
    BackboneError,
    BodyTooLargeError,
    ChannelAuthFailedError,
    ChannelGaveUpError,
    DeploymentInProgressError,
    DeskRefusedError,
    DeskUnavailableError,
    ForbiddenError,
    InvalidBodyError,
    InvalidChannelError,
    InvalidNameError,
    InvalidPatternError,
    InvalidSubjectError,
    NameTakenError,
    NoConversationError,
    NoSenderError,
    NotEmittableError,
    NotFoundError,
    QueriesUnansweredError,
    RunAbandonedError,
    RunTimedOutError,
    StreamFullError,
    StubClosedError,
    TooManyChannelsError,
    TooManyRegistrationsError,
    UndecodableBodyError,
    UnencodableBodyError,
    UnknownChannelError,
    UnknownChatError,
    UnknownConnectionError,
    UnknownDeploymentError,
    UnknownDeskError,
    UnknownSessionError,
    UnknownStubError,
)


@dataclass(frozen=True, slots=True)
class Code:
    """One code; ``as_reason``: dead letters carry it, ``as_error``: replies to commands carry it."""

    code: str
    meaning: str
    mend: str
    as_reason: bool = True
    as_error: bool = True

    @property
    def places(self) -> str:
        """Where a reader meets it."""
        return " and ".join(
            place for place, shown in (("dead letters", self.as_reason), ("replies", self.as_error)) if shown
        )


def _of(error: type[BackboneError], mend: str, *, as_reason: bool = True, as_error: bool = True) -> Code:
    first_line = (inspect.getdoc(error) or "").partition("\n")[0]
    return Code(error.code, first_line, mend, as_reason, as_error)


CODES: tuple[Code, ...] = (
    Code(
        "unrouted",
        "No link is alive, the chat's profile names no stub, and nobody is registered for the event.",
        "Register a path (`register`), or give the chat a stub (`profilecreate`).",
        as_error=False,
    ),
    Code(
        "unanswered",
        "Messages after the first one waited for its taker to set a link, in vain.",
        "The stub that takes `firstmessage` answers with a `stubsession`.",
        as_error=False,
    ),
    Code(
        "chat_with_operator",
        "A visitor wrote to a bot whose chat an operator of the outside system has.",
        "Nothing: the operator reads it there. It was never in a stream, so it cannot be redriven.",
        as_error=False,
    ),
    _of(InvalidSubjectError, "The detail says at which token; `heimdall subjects check SUBJECT` says it beforehand."),
    _of(InvalidNameError, "Names in subjects and bodies follow the table of tokens above."),
    _of(
        InvalidPatternError,
        "One level is `#`, anything deeper is a last `*`, all below the own org.",
        as_reason=False,
    ),
    _of(NotEmittableError, "Name one path of a visitor's event, every place of it filled in.", as_reason=False),
    _of(UndecodableBodyError, "Send a msgpack map or a JSON object."),
    _of(InvalidBodyError, "The detail lists each member with what is wrong."),
    _of(BodyTooLargeError, "Send files by reference, and long texts in parts."),
    _of(UnknownSessionError, "Use a session uuid that an `initialize` event told."),
    _of(ForbiddenError, "Publish under the session's own org and chat."),
    _of(NoSenderError, "Send the header `Heimdall-Stub`, or the member `stub` in JSON."),
    Code(
        "registration_timed_out",
        "A registration of one time waited for its `timeout_seconds`, and no event came.",
        "Register again, if the wish still stands: the original is the task.",
        as_error=False,
    ),
    _of(TooManyRegistrationsError, "`deregister` what is not needed, or close the stub it is for.", as_reason=False),
    _of(NameTakenError, "Choose another name, or another branch.", as_reason=False),
    _of(UnknownChatError, "Create the chat (`profilecreate`), or correct the name.", as_reason=False),
    _of(NotFoundError, "`links`, `registrations` and `profiles` list what is there.", as_reason=False),
    _of(InvalidChannelError, "`hints` says of each field what to write instead.", as_reason=False),
    _of(UnknownChannelError, "`channel.list` tells the ids of those that are there.", as_reason=False),
    _of(
        UnknownConnectionError,
        "A desk's connections stand in the file of its worker, each with its org.",
        as_reason=False,
    ),
    _of(UnknownDeploymentError, "`channel.deployments` tells their ids.", as_reason=False),
    _of(DeploymentInProgressError, "Wait for its end: `channel.deployment` tells it.", as_reason=False),
    _of(TooManyChannelsError, "`channel.remove` one that is not needed.", as_reason=False),
    _of(StreamFullError, "Publish again later; whoever runs the server makes room.", as_reason=False),
    _of(UnknownStubError, "Create the stub in its service, or remove what still names it.", as_error=False),
    _of(ActionMissingError, "Give the stub's context that action, in that state.", as_error=False),
    _of(
        QueriesUnansweredError, "The program gets a function with `@dialogs.on_query()`; then redrive.", as_error=False
    ),
    _of(StubClosedError, "Registrations and links go with their stub: name one that is open."),
    _of(RunTimedOutError, "Make the action quicker, or allow it more time; then redrive.", as_error=False),
    _of(RunAbandonedError, "Look for what ends or blocks the process; then redrive.", as_error=False),
    _of(NoConversationError, "The action names the session that it speaks to.", as_error=False),
    _of(UnencodableBodyError, "A stub sends and keeps text, numbers, lists and maps.", as_error=False),
    _of(
        UnknownDeskError,
        "Add the connection to the desk's file, or correct what names it; then redrive.",
        as_error=False,
    ),
    _of(DeskUnavailableError, "Redrive it while somebody is at the desk, or answer it otherwise.", as_error=False),
    _of(DeskRefusedError, "The detail has the desk's own words; mend that, then redrive.", as_error=False),
    _of(ChannelGaveUpError, "See that the outside system answers again; then redrive.", as_error=False),
    _of(
        ChannelAuthFailedError,
        "Give the channel the token that the outside system issued; then redrive.",
        as_error=False,
    ),
    Code(
        "worker_fault",
        "The worker has a fault of its own; the detail names its kind.",
        "The worker's log has more; the original is kept, so it can be published again.",
    ),
)
"""Errors of the bus itself (`no_answer`, `publish_timed_out`, ...) pass: they are tried again, not kept."""
