"""Runs of a desk: why a conversation cannot be taken, or not now."""

from __future__ import annotations

from broker.errors.root import BackboneError


class UnknownDeskError(BackboneError):
    """A run for a desk that no connection of this installation is."""

    code = "unknown_desk"

    def __init__(self, stub: str) -> None:
        super().__init__(
            f"there is no connection for desk {stub} of this org: add it to the connections' file, or correct the "
            "link or the profile that names it"
        )


class DeskClosedError(BackboneError):
    """The desk's room is closed, and what the visitor wrote waits for it to open."""

    code = "desk_closed"
    retryable = True
    attempts_max = 1_000_000  # whoever raises it keeps the time

    def __init__(self, stub: str, *, retry_after_s: float) -> None:
        super().__init__(f"nobody is at desk {stub}: asked again in {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class LinkNotSavedError(BackboneError):
    """The linker has told of a link, and was ended, or is slow, before it could save it."""

    code = "link_not_saved"
    retryable = True
    is_ours = True

    def __init__(self, stub: str, *, epoch: int) -> None:
        super().__init__(f"the link of desk {stub} of epoch {epoch} is told of, and not saved yet: a linker will do it")


class DeskUnavailableError(BackboneError):
    """Nobody was at the desk, or the desk had the conversation no more, and no other stub to take the text."""

    code = "desk_unavailable"

    def __init__(self, stub: str, *, problem: str) -> None:
        super().__init__(f"desk {stub} did not take it: {problem}")


class DeskRefusedError(BackboneError):
    """The desk's system is there and takes neither the chat nor the text."""

    code = "desk_refused"

    def __init__(self, stub: str, *, problem: str) -> None:
        super().__init__(f"desk {stub} would not take it: {problem}")


class RoomClosedError(BackboneError):
    """No chat can be opened now; what follows is for the desk's policy to say.

    ``is_unknown``: the desk's system has no such room, so that waiting is in vain.
    """

    code = "room_closed"

    def __init__(self, stub: str, *, is_unknown: bool = False) -> None:
        super().__init__(f"the room of desk {stub} is {'not known there' if is_unknown else 'closed'}")
        self.is_unknown = is_unknown
