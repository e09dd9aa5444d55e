"""Administration: what was asked about a channel, an org's way to the outside, cannot be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker.errors.root import BackboneError, shorten


class InvalidChannelError(BackboneError):
    """A channel's settings do not validate: every wrong field at once, with a code and a sentence for each mistake."""

    code = "validation"

    def __init__(self, problems: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        self.fields = {field: [code for code, _ in found] for field, found in problems.items()}
        self.hints = {field: [hint for _, hint in found] for field, found in problems.items()}
        told = "; ".join(f"{field}: {', '.join(hints)}" for field, hints in self.hints.items())
        super().__init__(f"the settings of the channel do not validate: {told}")


class UnknownChannelError(BackboneError):
    """The org has no channel of that id."""

    code = "unknown_channel"

    def __init__(self, channel_id: str, *, org: str) -> None:
        super().__init__(
            f"org {org} has no channel {shorten(channel_id)!r}: 'heimdall channels list' shows what it has"
        )


class UnknownConnectionError(BackboneError):
    """The org has no connection of that name at that desk."""

    code = "unknown_connection"

    def __init__(self, name: str, *, org: str, desk: str) -> None:
        super().__init__(
            f"org {org} has no {desk} connection {shorten(name)!r}: look into the file that lists the connections"
        )


class UnknownDeploymentError(BackboneError):
    """The channel has no deployment of that id."""

    code = "unknown_deployment"

    def __init__(self, deployment_id: str, *, channel_id: str) -> None:
        super().__init__(
            f"channel {channel_id} has no deployment {shorten(deployment_id)!r}: "
            f"'heimdall channels deployments {channel_id}' shows what it has"
        )


class TooManyChannelsError(BackboneError):
    """The org has as many channels as it may have."""

    code = "too_many_channels"

    def __init__(self, org: str, *, channels_max: int) -> None:
        super().__init__(
            f"org {org} has {channels_max} channels, which is the most it may have: remove one with "
            "'heimdall channels remove'"
        )


class DeploymentInProgressError(BackboneError):
    """The channel is being deployed already; one at a time."""

    code = "deployment_in_progress"

    def __init__(self, channel_id: str, *, deployment_id: str) -> None:
        super().__init__(
            f"channel {channel_id} is being deployed already ({deployment_id}): wait for its end, then ask again"
        )
        self.deployment_id = deployment_id


class UnsupportedMediaTypeError(BackboneError):
    """A body that says of itself that it is no JSON."""

    code = "unsupported_media_type"

    def __init__(self, found: str) -> None:
        super().__init__(f"the body is said to be {shorten(found)!r}: send it as application/json")
