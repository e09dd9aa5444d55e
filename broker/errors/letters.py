"""Dead letters: what keeps one from going back onto the bus."""

from __future__ import annotations

from broker.errors.root import BackboneError


class NotRedrivableError(BackboneError):
    """A dead letter that cannot be published again."""

    code = "not_redrivable"

    def __init__(self, letter: int, problem: str) -> None:
        super().__init__(f"dead letter {letter} cannot be redriven: {problem}; read it with 'show', end it with 'drop'")
        self.letter = letter


class LinkerBehindError(BackboneError):
    """A run must stay behind an event of its conversation, and no linker takes that event."""

    code = "linker_behind"
    retryable = True

    def __init__(self, sequence: int, *, waited_s: float) -> None:
        super().__init__(
            f"no linker has taken event {sequence} within {waited_s:.0f} s, and a run must stay behind it: "
            "start one with 'heimdall worker linker', then redrive the rest"
        )
        self.sequence = sequence
