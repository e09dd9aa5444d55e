"""Settings and programs: what keeps a process from running, or a command from being done."""

from __future__ import annotations

from broker.errors.root import BackboneError, shorten


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


class NoWorkerError(BackboneError):
    """No process of the worker that answers such commands runs."""

    code = "no_worker"
    retryable = True
    is_ours = True

    def __init__(self, verb: str, *, worker: str = "linker") -> None:
        super().__init__(f"no worker {worker!r} is there to answer {verb!r}: start one with 'heimdall worker {worker}'")


class ProcessEndedError(BackboneError):
    """A process that a benchmark needs is gone."""

    code = "process_ended"

    def __init__(self, name: str, status: int, *, said: str) -> None:
        super().__init__(f"process {name} ended by itself with {status}; the last that it said: {shorten(said, 300)}")


class NotMeasurableError(BackboneError):
    """A benchmark cannot go on: what it waits for does not come."""

    code = "not_measurable"

    def __init__(self, what: str, *, found: int, expected: int) -> None:
        super().__init__(f"{what}: found {found} of {expected}, and no more came; nothing can be measured")


class EventGoneError(BackboneError):
    """The log holds no event of that sequence, any more or yet."""

    code = "event_gone"

    def __init__(self, sequence: int, *, first: int, last: int) -> None:
        if last < first:
            problem = "the log is empty"
        elif sequence < 1:
            problem = "sequences begin at 1"
        elif sequence < first:
            problem = f"it is gone: the log begins at {first} now"
        elif sequence > last:
            problem = f"it has not come yet: the log ends at {last}"
        else:
            problem = f"it was removed from the log, which holds {first} to {last}"
        super().__init__(f"no event {sequence}: {problem}")


class EventNotFoundError(BackboneError):
    """No event with that id was found where it was looked for."""

    code = "event_not_found"

    def __init__(self, event_id: str, *, searched: int, back_to: str) -> None:
        super().__init__(
            f"no event with id {shorten(event_id)!r} among the newest {searched:,} of the log ({back_to}): "
            "search further with --search or --since, or give its sequence as 'heimdall tap' shows it"
        )


class NoCauseError(BackboneError):
    """A run or a dead letter that no event of the log has caused."""

    code = "no_cause"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was caused by no event of the log, so there is nothing to explain")
