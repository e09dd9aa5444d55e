"""Demos: what keeps one from being shown."""

from __future__ import annotations

from broker.errors.root import BackboneError, shorten

LOG_CHARACTERS_SHOWN = 2_000


class NoStandInError(BackboneError):
    """The simulated outside system is not installed with the package."""

    code = "no_stand_in"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the simulated outside system ({module}) is part of the source tree, and this is an installed package: "
            "run the demo in a clone of the repository"
        )


class StandInFailedError(BackboneError):
    """The simulated outside system did not do what it was asked for."""

    code = "stand_in_failed"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the simulated outside system failed: {shorten(problem, 300)}")


class NoProjectFolderError(BackboneError):
    """The demo's git repository cannot be made."""

    code = "no_project"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the demo's git repository cannot be made: {shorten(problem, 300)}")


class DemoDeploymentError(BackboneError):
    """The demo's program was not deployed; the deployment's own log says why."""

    code = "demo_not_deployed"

    def __init__(self, log: str) -> None:
        super().__init__(f"the demo's program was not deployed: {log[-LOG_CHARACTERS_SHOWN:]}")


class DemoStuckError(BackboneError):
    """A step of the demo did not lead to the next one."""

    code = "demo_stuck"

    def __init__(self, problem: str, *, wait_s: float) -> None:
        super().__init__(
            f"the demo does not go on, {problem} after {wait_s:.0f} s: --data-dir keeps the logs that tell why"
        )
