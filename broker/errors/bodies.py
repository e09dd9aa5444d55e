"""Bodies: the content of one event."""

from __future__ import annotations

from broker.errors.root import BackboneError


class BodyError(BackboneError):
    """A body that is not what its subject promises."""

    code = "bad_body"


class UndecodableBodyError(BodyError):
    """Neither msgpack nor JSON, or not an object."""

    code = "undecodable"

    def __init__(self, size_bytes: int, problem: str) -> None:
        super().__init__(f"body of {size_bytes} bytes is neither a msgpack map nor a JSON object: {problem}")
        self.size_bytes = size_bytes


class UnencodableBodyError(BodyError):
    """It holds something that has no form on the wire."""

    code = "unencodable"

    def __init__(self, problem: str) -> None:
        super().__init__(f"body cannot be sent: text, numbers, lists, maps and bytes have a form, not this: {problem}")


class InvalidBodyError(BodyError):
    """Decoded, but fields are missing, wrong or out of range; every problem is listed, no content is."""

    code = "invalid_body"

    def __init__(self, what: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{what} does not validate: {'; '.join(problems)}")
        self.problems = problems


class BodyTooLargeError(BodyError):
    """Over the size that the bus carries."""

    code = "too_large"

    def __init__(self, what: str, size_bytes: int, *, bytes_max: int) -> None:
        super().__init__(f"{what} has {size_bytes} bytes: at most {bytes_max} are taken")
