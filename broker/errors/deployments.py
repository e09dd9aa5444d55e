"""Deployments: why a version of a program cannot be made ready; ``code`` is what the deployment's record says."""

from __future__ import annotations

from broker.errors.root import BackboneError, shorten


class DeploymentError(BackboneError):
    """A version that cannot be made ready; ``output`` is what the step said, for the deployment's log."""

    code = "build_failed"

    def __init__(self, problem: str, *, output: str = "") -> None:
        super().__init__(problem)
        self.output = output


class NoProjectError(DeploymentError):
    """The channel belongs to an org whose programs are not made here."""

    code = "no_project"

    def __init__(self, org: str) -> None:
        super().__init__(f"no git repository is connected for org {org}: set HEIMDALL_PROGRAMS_ORG and _REPOSITORY")


class RepositoryError(DeploymentError):
    """Git cannot read the repository, or not in time."""

    code = "repository_unavailable"

    def __init__(self, *, output: str = "") -> None:
        super().__init__(
            "git cannot read the project's repository: see what it says below, and that the worker may read it",
            output=output,
        )


class UnknownRefError(DeploymentError):
    """Neither a branch nor a tag nor a commit."""

    code = "unknown_ref"

    def __init__(self, ref: str) -> None:
        super().__init__(f"the repository has no branch, tag or commit {shorten(ref)!r}: push it, or name another")


class AmbiguousCommitError(DeploymentError):
    """The beginning of several commits."""

    code = "ambiguous_commit"

    def __init__(self, prefix: str, *, found: int) -> None:
        super().__init__(f"{found} commits begin with {shorten(prefix)!r}: give more of the hash")


class NoProgramError(DeploymentError):
    """The version holds no program that can be started."""

    code = "no_program"

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: program.py must define service = Service(...) and end with serve(service)")


class ProgramSyntaxError(DeploymentError):
    """A file of the version is no Python."""

    code = "syntax_error"

    def __init__(self, *, output: str) -> None:
        super().__init__("a file of the program does not compile", output=output)


class BuildFailedError(DeploymentError):
    """A step of making it ready went wrong."""

    code = "build_failed"


class TestsFailedError(DeploymentError):
    """The version's own tests say no."""

    __test__ = False  # the name would make pytest collect it
    code = "tests_failed"

    def __init__(self, *, output: str) -> None:
        super().__init__("the program's tests failed", output=output)


class VersionNotReadyError(DeploymentError):
    """Its process does not take work."""

    code = "not_ready"

    def __init__(self, service: str, *, limit_s: float, output: str) -> None:
        super().__init__(f"service {service} was not ready within {limit_s:g} s of its start", output=output)


class TooManyVersionsError(DeploymentError):
    """This worker runs as many versions as it may."""

    code = "too_many_versions"

    def __init__(self, versions_max: int) -> None:
        super().__init__(
            f"{versions_max} versions run here already: wait until conversations with old ones end, "
            "or raise HEIMDALL_PROGRAMS_VERSIONS_MAX"
        )


class BuildAbandonedError(DeploymentError):
    """It was begun time and again, and the worker ended each time."""

    code = "build_abandoned"

    def __init__(self, attempts: int) -> None:
        super().__init__(f"begun {attempts} times, and the worker that made it ready ended or hung each time")
