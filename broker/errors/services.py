"""Services: the stub's side."""

from __future__ import annotations

from broker.errors.root import BackboneError


class CommandRefusedError(BackboneError):
    """The backbone answered a command with an error; ``code`` is the answer's own."""

    code = "command_refused"

    def __init__(self, verb: str, code: str, message: str) -> None:
        super().__init__(f"{verb}: {message}")
        self.code = code


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


class ActionMissingError(BackboneError):
    """The stub's context has no such action, nor the default one.

    Source: specs/stubber-webchat.md section 5.2 (``action_not_in_state``).
    """

    code = "action_not_in_state"

    def __init__(self, action: str, *, stub: str, context: str) -> None:
        super().__init__(f"stub {stub} has no action {action!r} in context {context!r}")
