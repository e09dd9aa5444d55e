"""The task ``manage_stubsession``: a stub sets or ends a link without saying anything to the visitor.

Source: specs/stubber-webchat.md section 6.3.
"""

from __future__ import annotations

from typing import Literal

from broker.domain.channels import platform_of
from broker.domain.events import TIMEOUT_HOURS_DEFAULT, UUID, Action, Hours, StubName
from broker.domain.ids import ChannelName
from broker.domain.phones import PhoneAddress, member_of, phone_model
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError

Operation = Literal["set", "delete"]


class LinkTask(Wire):
    """What the task says on every channel.

    ``only_of`` (delete): end the link only if this stub owns it; the closing of a stub says so.
    """

    operation: Operation
    stubref: StubName | None = None
    set_new_with_timeout_hours: Hours = TIMEOUT_HOURS_DEFAULT
    set_feedback_action: Action | None = None
    only_of: StubName | None = None


class ManageLink(LinkTask):
    """The parameters of ``manage_stubsession`` for one channel."""

    sessionuuid: UUID


class ManagePhoneLink(LinkTask, PhoneAddress):
    """The parameters of ``manage_stubsession`` for a channel of phone numbers."""


def read_manage_link(channel: ChannelName, body: Body, *, operation: Operation) -> ManageLink | ManagePhoneLink:
    """The parameters of a ``manage_stubsession`` task for this channel and operation.

    Raises:
        InvalidBodyError: it is missing, does not validate, or says the other operation than its subject.
    """
    what = f"{channel} manage_stubsession"
    params = body.get("params")
    if isinstance(params, dict) and params.get("platform", channel) != channel:
        raise InvalidBodyError(what, (f"params.platform: it is not {channel!r}, the channel of the subject",))
    by_number = platform_of(channel).by_number
    model: type[ManageLink | ManagePhoneLink] = phone_model(ManagePhoneLink, channel) if by_number else ManageLink
    content: ManageLink | ManagePhoneLink = validate(model, member_of(body, "params", (channel,), what=what), what=what)
    if content.operation != operation:
        raise InvalidBodyError(what, (f"operation: found {content.operation!r} on the subject of {operation!r}",))
    return content
