"""The bus: NATS said no, or nothing."""

from __future__ import annotations

from broker.errors.root import BackboneError

SERVER_FAULT_STATUS = 500
"""From here on the server failed, and may not the next time; below, the request is at fault."""


class BusError(BackboneError):
    """The server or the connection to it failed us."""

    code = "bus"
    retryable = True
    is_ours = True


class ServerUnreachableError(BusError):
    """Nobody answers at the address."""

    code = "no_server"

    def __init__(self, url: str) -> None:
        super().__init__(f"no NATS server answers at {url}: start one with 'make dev', or set HEIMDALL_NATS_URL")


class ServerTooOldError(BusError):
    """The server lacks schedules or consumer resets."""

    code = "server_too_old"
    retryable = False

    def __init__(self, url: str, found: str, *, expected: str) -> None:
        super().__init__(f"the NATS server at {url} is {found}: at least {expected} is needed, upgrade it")


class JetStreamMissingError(BusError):
    """The server runs without JetStream."""

    code = "no_jetstream"
    retryable = False

    def __init__(self, url: str) -> None:
        super().__init__(
            f"the NATS server at {url} has no JetStream: start it with 'jetstream {{}}' in its configuration"
        )


class PermissionRefusedError(BusError):
    """The server refuses this user something that the worker needs."""

    code = "permission_refused"
    retryable = False

    def __init__(self, detail: str) -> None:
        super().__init__(f"the NATS server refuses this user: {detail}; grant it as subjects.md lists for the role")


class NoAnswerError(BusError):
    """A request got no answer in time, or the connection broke while it waited."""

    code = "no_answer"

    def __init__(self, subject: str, *, problem: str) -> None:
        super().__init__(f"the NATS server did not answer {subject}: {problem}")


class RequestRefusedError(BusError):
    """The server answered a request with an error."""

    code = "request_refused"

    def __init__(self, subject: str, status: int, err_code: int, description: str) -> None:
        super().__init__(f"the NATS server refused {subject}: {description} ({err_code})")
        self.status = status
        self.err_code = err_code
        self.retryable = status >= SERVER_FAULT_STATUS


class TopologyError(BusError):
    """A stream, bucket or consumer on the server is not what this version needs, and cannot be changed in place."""

    code = "bad_topology"
    retryable = False

    def __init__(self, name: str, *, found: str, expected: str) -> None:
        super().__init__(f"{name} exists with {found}, expected {expected}")


class ServerFailedError(BusError):
    """The embedded nats-server did not start, or ended."""

    code = "server_failed"
    retryable = False

    def __init__(self, problem: str) -> None:
        super().__init__(f"nats-server cannot run: {problem}")


class PublishTimedOutError(BusError):
    """No acknowledgement came in time; the message may or may not be stored, so retry with the same id."""

    code = "publish_timed_out"

    def __init__(self, subject: str, *, timeout_s: float) -> None:
        super().__init__(f"no acknowledgement for {subject} within {timeout_s:.1f} s")


class PublishRefusedError(BusError):
    """The stream answered with an error."""

    code = "publish_refused"

    def __init__(self, subject: str, status: int, err_code: int, description: str) -> None:
        super().__init__(f"the stream refused {subject}: {description} ({err_code})")
        self.status = status
        self.err_code = err_code
        self.retryable = status >= SERVER_FAULT_STATUS


class StreamFullError(BusError):
    """The stream, or the storage behind it, has no room: nothing was stored, and nothing older thrown away."""

    code = "stream_full"

    def __init__(self, subject: str, *, detail: str) -> None:
        root = ".".join(subject.split(".")[:3])  # further tokens may name a session, and this reaches publishers
        super().__init__(
            f"the stream of {root} is full ({detail}), nothing was stored: publish again later; "
            "HEIMDALL_LOG_BYTES_MAX and the disk decide how much it holds"
        )


class ServerOverloadedError(BusError):
    """The server took more than it can handle at once, and dropped this one."""

    code = "overloaded"

    def __init__(self, subject: str, *, detail: str) -> None:
        root = ".".join(subject.split(".")[:3])
        super().__init__(f"the NATS server cannot keep up at {root} ({detail}): publish again, and more slowly")


class InFlightError(BusError):
    """A cluster is just storing a message with the same id: publish it again, and learn what became of it."""

    code = "in_flight"

    def __init__(self, subject: str) -> None:
        root = ".".join(subject.split(".")[:3])
        super().__init__(f"a message with the same id is being stored at {root}: publish it again")


class ConflictError(BusError):
    """Compare-and-set lost: somebody wrote in between. Read again and decide again."""

    code = "conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written by somebody else in between")


class LeaseLostError(BusError):
    """The lease ran out while this process was away or paused: another one may work in its place."""

    code = "lease_lost"

    def __init__(self, consumer: str) -> None:
        super().__init__(f"the lease on consumer {consumer} ran out: it is another process's to take now")


class NoStreamError(BusError):
    """No stream listens on the subject."""

    code = "no_stream"

    def __init__(self, subject: str) -> None:
        stream = subject.removeprefix("$JS.API.DIRECT.GET.")
        problem = f"no stream stores {subject}" if stream == subject else f"there is no stream {stream.split('.')[0]}"
        super().__init__(f"{problem}: run a worker once, it creates the streams")
