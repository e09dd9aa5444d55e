"""The bodies of runs: what a stub finds in its ``stubpost``.

Source: specs/stubber-webchat.md sections 2.3, 2.4 and 5.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from broker.domain import headers as names
from broker.domain.channels import platform_of
from broker.domain.events import ChatConfiguration, VisitorContent
from broker.domain.ids import ActionName, ChannelName, branch_of
from broker.domain.phones import PhoneContent
from broker.domain.registry import Taker
from broker.domain.subjects import ChatPath
from broker.domain.wire import Body

INBOX = re.compile(r"_INBOX[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
"""Where a reply may go: nobody shall have the results of runs published on a subject that means something."""
INBOX_CHARACTERS_MAX = 200


def default_feedback_action(channel: ChannelName) -> ActionName:
    """The action that every stub has for a channel, such as ``_update_from_webchat``."""
    return platform_of(channel).feedback_action


def owner_run(
    path: ChatPath, content: VisitorContent | PhoneContent, payload: Body, *, profile_uuid: str | None = None
) -> Body:
    """A run of the feedback action: the text, and the event under the channel's key, as ``_incoming_webchat_data``.

    ``payload`` is the event as it came, so members that we do not know reach the stub too. ``profile_uuid`` is the
    chat's, for an event that names none.
    """
    incoming = payload
    if isinstance(content, VisitorContent):
        configuration = _configuration(path, content.configuration, profile_uuid)
        incoming = {**payload, f"{path.channel}_configuration": configuration}
    return {"stubpost": {"message": content.text, "data": {platform_of(path.channel).data_key: incoming}}}


def _configuration(path: ChatPath, given: ChatConfiguration | None, profile_uuid: str | None) -> Body:
    """It has other members here than on the bus: ``branch``, ``pass_through_data``, ``profile_uuid``."""
    found: Body = {"branch": branch_of(path.chat)}
    if given is not None and given.pass_through is not None:
        found["pass_through_data"] = given.pass_through
    if (named := profile_uuid if given is None else given.profile_uuid or profile_uuid) is not None:
        found["profile_uuid"] = named
    return found


def taker_run(channel: ChannelName, taker: Taker, payload: Body) -> Body:
    """A run of a registration's action: its own message and data, the event laid over them as ``heimdall``."""
    registration = taker.registration
    data = {**registration.data, "heimdall": {channel: payload}, "heimdall_event": taker.event}
    return {"stubpost": {"message": registration.message, "data": data}}


def taker_headers(taker: Taker, event: Mapping[str, str]) -> dict[str, str]:
    """What a registration's run says beside its body: how long it may take, and where its result is waited for.

    ``event`` is the event's own headers; a reply address that is no inbox is left out.
    """
    said: dict[str, str] = {}
    if taker.run_s is not None:
        said[names.TIME_LIMIT] = f"{taker.run_s:g}"
    if taker.mechanism == "evb" and (inbox := event.get(names.REPLY)) is not None and is_inbox(inbox):
        said[names.REPLY] = inbox
    return said


def is_inbox(subject: str) -> bool:
    """Whether a result may be published there."""
    return len(subject) <= INBOX_CHARACTERS_MAX and INBOX.fullmatch(subject) is not None
