"""The whole error hierarchy, by what went wrong; imports nothing of ours.

A folder, not one file: the catalogue is longer than a file should be, and each group is one idea.
"""

from broker.errors.bodies import (
    BodyError,
    BodyTooLargeError,
    InvalidBodyError,
    UndecodableBodyError,
    UnencodableBodyError,
)
from broker.errors.bus import (
    BusError,
    ConflictError,
    InFlightError,
    JetStreamMissingError,
    NoAnswerError,
    NoStreamError,
    PermissionRefusedError,
    PublishRefusedError,
    PublishTimedOutError,
    RequestRefusedError,
    ServerFailedError,
    ServerOverloadedError,
    ServerTooOldError,
    ServerUnreachableError,
    StreamFullError,
    TopologyError,
)
from broker.errors.channels import (
    ChannelError,
    ChannelThrottledError,
)
from broker.errors.conversations import (
    ForbiddenError,
    NameTakenError,
    NoSenderError,
    NotFoundError,
    TooManyRegistrationsError,
    UnknownChatError,
    UnknownSessionError,
)
from broker.errors.grammar import (
    GrammarError,
    InvalidNameError,
    InvalidPatternError,
    InvalidSubjectError,
)
from broker.errors.letters import (
    LinkerBehindError,
    NotRedrivableError,
)
from broker.errors.programs import (
    DataFolderTakenError,
    DataFolderUnusableError,
    EventGoneError,
    EventNotFoundError,
    NoCauseError,
    NoLinkerError,
    NotMeasurableError,
    PortTakenError,
    ProcessEndedError,
    ReservedSubjectError,
    SettingsError,
    UnknownWorkerError,
)
from broker.errors.root import (
    BackboneError,
    shorten,
)
from broker.errors.services import (
    ActionMissingError,
    CommandRefusedError,
    NoConversationError,
    UnknownStubError,
)

__all__ = [
    "ActionMissingError",
    "BackboneError",
    "BodyError",
    "BodyTooLargeError",
    "BusError",
    "ChannelError",
    "ChannelThrottledError",
    "CommandRefusedError",
    "ConflictError",
    "DataFolderTakenError",
    "DataFolderUnusableError",
    "EventGoneError",
    "EventNotFoundError",
    "ForbiddenError",
    "GrammarError",
    "InFlightError",
    "InvalidBodyError",
    "InvalidNameError",
    "InvalidPatternError",
    "InvalidSubjectError",
    "JetStreamMissingError",
    "LinkerBehindError",
    "NameTakenError",
    "NoAnswerError",
    "NoCauseError",
    "NoConversationError",
    "NoLinkerError",
    "NoSenderError",
    "NoStreamError",
    "NotFoundError",
    "NotMeasurableError",
    "NotRedrivableError",
    "PermissionRefusedError",
    "PortTakenError",
    "ProcessEndedError",
    "PublishRefusedError",
    "PublishTimedOutError",
    "RequestRefusedError",
    "ReservedSubjectError",
    "ServerFailedError",
    "ServerOverloadedError",
    "ServerTooOldError",
    "ServerUnreachableError",
    "SettingsError",
    "StreamFullError",
    "TooManyRegistrationsError",
    "TopologyError",
    "UndecodableBodyError",
    "UnencodableBodyError",
    "UnknownChatError",
    "UnknownSessionError",
    "UnknownStubError",
    "UnknownWorkerError",
    "shorten",
]
