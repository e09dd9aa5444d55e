"""Conversations: well formed, but not allowed or not there."""

from __future__ import annotations

from broker.errors.root import BackboneError


class UnknownSessionError(BackboneError):
    """No session with that uuid."""

    code = "unknown_session"

    def __init__(self, session: str) -> None:
        # A session's uuid is a bearer secret, and messages reach logs: eight characters are enough to know it by.
        super().__init__(f"no session {session[:8]} is known: sessions begin with an initialize event of their channel")


class ForbiddenError(BackboneError):
    """The thing exists and belongs to somebody else."""

    code = "forbidden"

    def __init__(self, what: str, *, org: str) -> None:
        super().__init__(f"{what} does not belong to org {org}")


class NoSenderError(BackboneError):
    """A link was asked for, and nobody says which stub is to own it."""

    code = "no_sender"

    def __init__(self) -> None:
        super().__init__(
            "a stubsession needs its stub: send the header 'Heimdall-Stub: <service>.<stubref>' "
            "or, in JSON, a top-level field 'stub'"
        )


class NameTakenError(BackboneError):
    """A webchat with that name exists in this org and branch."""

    code = "name_taken"

    def __init__(self, name: str, *, branch: str, org: str) -> None:
        super().__init__(f"webchat {name!r} exists already on branch {branch} of org {org}: choose another name")


class UnknownChatError(BackboneError):
    """No webchat with that name in that org."""

    code = "unknown_chat"

    def __init__(self, chat_name: str, *, org: str) -> None:
        super().__init__(
            f"org {org} has no webchat {chat_name!r}: create it with "
            f"'heimdall chats create NAME --branch draft --org {org}', or correct the name"
        )


class NotFoundError(BackboneError):
    """What a command named is not there."""

    code = "not_found"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was not found")


class TooManyRegistrationsError(BackboneError):
    """The org has as many registrations as it may have."""

    code = "too_many_registrations"

    def __init__(self, org: str, *, registrations_max: int) -> None:
        super().__init__(
            f"org {org} has {registrations_max} registrations, which is the most it may have: deregister some, "
            "or raise HEIMDALL_LINKER_REGISTRATIONS_MAX"
        )
