"""The whole error hierarchy: a code for machines, one sentence for people, facts as attributes."""

from __future__ import annotations

SERVER_FAULT_STATUS = 500
"""From here on the fault is the server's, and passes; below, the same request fails again."""


class BackboneError(Exception):
    """Root of all our errors.

    ``code`` is the word used in logs, dead letters, command replies and tests; ``retryable`` says whether the
    same attempt may succeed later without anyone changing anything.
    """

    code = "backbone"
    retryable = False


# Grammar: what a person or a program wrote is not what the contract says.


class GrammarError(BackboneError):
    """A name, token, subject or pattern outside the grammar of subjects.md."""

    code = "bad_grammar"


class InvalidNameError(GrammarError):
    """A token's value breaks the rule for its place."""

    code = "bad_name"

    def __init__(self, what: str, found: str, *, expected: str) -> None:
        super().__init__(f"bad {what} {shorten(found)!r}: expected {expected}")
        self.what = what


class InvalidSubjectError(GrammarError):
    """A subject that no row of subjects.md describes."""

    code = "bad_subject"

    def __init__(self, subject: str, *, problem: str) -> None:
        super().__init__(f"subject {shorten(subject, 200)!r} is outside the grammar: {problem}")


class InvalidPatternError(GrammarError):
    """A pattern with wildcards that cannot be read."""

    code = "bad_pattern"

    def __init__(self, pattern: str, *, problem: str) -> None:
        super().__init__(f"pattern {shorten(pattern, 200)!r} cannot be used: {problem}")


# Bodies: the content of one event.


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


# Conversations: well formed, but not allowed or not there.


class UnknownSessionError(BackboneError):
    """No session with that uuid."""

    code = "unknown_session"

    def __init__(self, session: str) -> None:
        super().__init__(f"no session {session} is known: sessions begin with an initialize event of their channel")


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


# The bus: NATS said no, or nothing.


class BusError(BackboneError):
    """The server or the connection to it failed us."""

    code = "bus"
    retryable = True


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


class ConflictError(BusError):
    """Compare-and-set lost: somebody wrote in between. Read again and decide again."""

    code = "conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written by somebody else in between")


class NoStreamError(BusError):
    """No stream listens on the subject."""

    code = "no_stream"

    def __init__(self, subject: str) -> None:
        super().__init__(f"no stream stores {subject}: run a worker once, it creates the streams")


# Services: the stub's side.


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


# Settings and programs.


class SettingsError(BackboneError):
    """Settings that cannot be used; all problems at once, by variable name."""

    code = "bad_settings"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("settings cannot be used: " + "; ".join(problems))
        self.problems = problems


class UnknownWorkerError(BackboneError):
    """No worker has that name."""

    code = "unknown_worker"

    def __init__(self, name: str, *, known: tuple[str, ...]) -> None:
        super().__init__(f"no worker is called {shorten(name)!r}: expected one of {', '.join(known)}")


class DataFolderTakenError(BackboneError):
    """Another `heimdall dev` runs on the same data."""

    code = "data_folder_taken"

    def __init__(self, folder: str) -> None:
        super().__init__(f"another 'heimdall dev' runs on {folder}: end it, or name another folder with --data-dir")


class DataFolderUnusableError(BackboneError):
    """The data folder cannot be made or written."""

    code = "data_folder_unusable"

    def __init__(self, folder: str, problem: str) -> None:
        super().__init__(f"the data folder {folder} cannot be used ({problem}): name another with --data-dir")


class PortTakenError(BackboneError):
    """Somebody else listens on the port that was asked for."""

    code = "port_taken"

    def __init__(self, port: int, *, option: str) -> None:
        super().__init__(f"port {port} is taken: choose another with {option}, or leave the option away for a free one")


class ReservedSubjectError(BackboneError):
    """Only one worker may publish there; from anybody else it would be a lie."""

    code = "reserved_subject"

    def __init__(self, subject: str, *, writer: str, instead: str) -> None:
        super().__init__(f"only {writer} publishes {shorten(subject, 200)!r}: {instead}")


class NoLinkerError(BackboneError):
    """Nobody answers commands."""

    code = "no_linker"
    retryable = True

    def __init__(self, verb: str) -> None:
        super().__init__(f"no linker is there to answer {verb!r}: start one with 'heimdall worker linker'")


def shorten(text: str, characters_max: int = 80) -> str:
    """The text, cut so that a message stays one line."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
