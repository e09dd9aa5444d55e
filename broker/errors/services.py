"""Services: the stub's side."""

from __future__ import annotations

from collections.abc import Mapping

from broker.errors.bus import BusError
from broker.errors.root import BackboneError


class CommandRefusedError(BackboneError):
    """The backbone answered a command with an error; ``code`` is the answer's own.

    Where that tells of the bus, the same command may succeed later. ``fields``: the codes of each wrong field, where a
    form was refused.
    """

    code = "command_refused"

    def __init__(self, verb: str, code: str, message: str, *, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{verb}: {message}")
        self.code = code
        self.fields = dict(fields or {})
        self.retryable = self.is_ours = code in _passing_codes(BusError)


def _passing_codes(error: type[BackboneError]) -> set[str]:
    """The codes of an error and its kinds that may pass."""
    own = {error.code} if error.retryable else set[str]()
    return own.union(*(_passing_codes(kind) for kind in error.__subclasses__()))


class NoConversationError(BackboneError):
    """A stub wants to speak, and no conversation is known to it."""

    code = "no_conversation"

    def __init__(self, stub: str) -> None:
        super().__init__(f"stub {stub} has heard of no conversation yet: name the session to notify")


class UnknownStubError(BackboneError):
    """A run for a stub that the service does not have."""

    code = "unknown_stub"

    def __init__(self, stub: str) -> None:
        super().__init__(f"service has no stub {stub}: it was never created, or its record was removed")


class StubClosedError(BackboneError):
    """A run, or a link, for a stub that has closed."""

    code = "stub_closed"

    def __init__(self, stub: str) -> None:
        super().__init__(f"stub {stub} has closed: it runs nothing and takes no links any more")


class ActionMissingError(BackboneError):
    """The stub's context has no such action in its state, nor the default one.

    Source: specs/stubber-webchat.md section 5.2 (``action_not_in_state``).
    """

    code = "action_not_in_state"

    def __init__(self, action: str, *, stub: str, context: str, state: str) -> None:
        super().__init__(f"stub {stub} has no action {action!r} in context {context!r} and state {state!r}")


class QueriesUnansweredError(BackboneError):
    """A service with dialogs has nothing to answer queries with."""

    code = "queries_unanswered"

    def __init__(self, service: str) -> None:
        super().__init__(
            f"service {service} has dialogs, but no function that answers queries: decorate one with "
            "@dialogs.on_query()"
        )


class RunTimedOutError(BackboneError):
    """An action did not finish within its time limit, time and again."""

    code = "run_timed_out"
    retryable = True

    def __init__(self, action: str, *, stub: str, limit_s: float, attempts_max: int) -> None:
        super().__init__(
            f"action {action!r} of stub {stub} did not finish within {limit_s:g} s: make it quicker, or allow it more "
            "time by HEIMDALL_<SERVICE>_RUN_LIMIT_S or the registration's timeout_seconds"
        )
        self.attempts_max = attempts_max


class RunAbandonedError(BackboneError):
    """A run was begun time and again, and the process that ran it ended each time."""

    code = "run_abandoned"

    def __init__(self, action: str, *, stub: str, attempts: int) -> None:
        super().__init__(
            f"action {action!r} of stub {stub} was begun {attempts} times and its process ended or hung each time"
        )
        self.attempts = attempts
