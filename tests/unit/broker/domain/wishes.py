"""Registrations to test with: one stub's wishes for paths of one chat."""

from __future__ import annotations

from typing import Any

from broker.domain.ids import OrgId
from broker.domain.registrations import (
    Mechanism,
    RegisterParams,
    Registration,
    RegistrationRecord,
    read_register,
    to_registration,
)
from broker.domain.wire import Body

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
OTHER_ORG = OrgId("11111111-2222-3333-4444-555555555555")
S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
P = f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop"
FIRST = f"{P}.sessionuuid.{S}.webchatmessagetype.firstmessage"
CONFIGURATION = f"{P}.sessionuuid.{S}.webchatmessagetype.configuration"


def uuid_of(number: int) -> str:
    """A uuid that ends in the number."""
    return f"00000000-0000-0000-0000-{number:012}"


def params(*paths: str, number: int = 1, mechanism: str = "cbh", **more: Any) -> Body:
    """The parameters of a ``heimdall_register`` task."""
    return {
        "uuid": uuid_of(number),
        "events": {f"event{place}": {"path": path, "mechanism": mechanism} for place, path in enumerate(paths)},
        "trigger_stubaction": {"action_name": "create_stub", "stubref": "A"},
        **more,
    }


def made(checked: RegisterParams, *, number: int = 1, since: int | None = None, **more: Any) -> Registration:
    """The registration that was asked for; ``number`` is its place in the order, too."""
    place = number if since is None else since
    return to_registration(RegistrationRecord(org=ORG, stub="demo.A", since=place, params=checked, **more))


def registration(
    *paths: str, number: int = 1, mechanism: Mechanism = "cbh", since: int | None = None, **more: Any
) -> Registration:
    """A registration for these paths."""
    checked = read_register(params(*paths, number=number, mechanism=mechanism, **more), org=ORG)
    return made(checked, number=number, since=since)
