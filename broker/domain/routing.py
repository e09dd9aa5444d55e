"""Who takes a visitor's event, in the order that holds for every channel.

The stub whose message is replied to, where the channel has threads; else the live link; else the profile's static map;
else who registered; else it is a dead letter. Webchat has no threads, and one stub instead of a map.
Source: specs/stubber-webchat.md section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from broker.domain.ids import Stub

CATCH_ALL = "__catch_all"
"""The entry of a profile's map that takes what no other entry does."""


class Way(StrEnum):
    """Why a stub takes an event that is not offered to registrations."""

    THREAD = "thread"
    LINK = "link"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class Place:
    """The stub that takes an event, and why."""

    way: Way
    stub: Stub


def route(*, parent: Stub | None, owner: Stub | None, mapped: Stub | None) -> Place | None:
    """Who takes an event; None: whoever registered for it.

    ``parent`` wrote what it replies to, ``owner`` has the live link, ``mapped`` is who the profile names.
    """
    if parent is not None:
        return Place(Way.THREAD, parent)
    if owner is not None:
        return Place(Way.LINK, owner)
    return None if mapped is None else Place(Way.PROFILE, mapped)


def mapped_stub(routes: Mapping[str, str], route_name: str | None, single: str | None) -> str | None:
    """The stub of a route in a profile's map, else the catch-all's, else the profile's single one."""
    if route_name is not None and (found := routes.get(route_name)) is not None:
        return found
    return routes.get(CATCH_ALL, single)
