"""Registrations: which of them take an event, each at most once, in the order they were made."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.ids import OrgId, Stub
from broker.domain.registrations import (
    EVENTS_MAX,
    RegisterParams,
    Registration,
    RegistrationRecord,
    Registry,
    read_register,
    to_registration,
)
from broker.domain.wire import Body, dump, validate
from broker.errors import InvalidBodyError, InvalidPatternError

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
OTHER_ORG = OrgId("11111111-2222-3333-4444-555555555555")
S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
P = f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop"
FIRST = f"{P}.sessionuuid.{S}.webchatmessagetype.firstmessage"
CONFIGURATION = f"{P}.sessionuuid.{S}.webchatmessagetype.configuration"


def uuid_of(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def params(*paths: str, number: int = 1, mechanism: str = "cbh", **more: Any) -> Body:
    return {
        "uuid": uuid_of(number),
        "events": {f"event{place}": {"path": path, "mechanism": mechanism} for place, path in enumerate(paths)},
        "trigger_stubaction": {"action_name": "create_stub", "stubref": "A"},
        **more,
    }


def registration(
    *paths: str, number: int = 1, mechanism: Literal["evt", "cbh"] = "cbh", since: int | None = None
) -> Registration:
    checked = read_register(params(*paths, number=number, mechanism=mechanism), org=ORG)
    return made(checked, number=number, since=since)


def made(checked: RegisterParams, *, number: int = 1, since: int | None = None) -> Registration:
    place = number if since is None else since
    return to_registration(RegistrationRecord(org=ORG, stub="demo.A", since=place, params=checked))


def registry(*registrations: Registration) -> Registry:
    filled = Registry()
    for each in registrations:
        filled.put(each)
    return filled


def ids(filled: Registry, subject: str = FIRST, org: OrgId = ORG) -> list[str]:
    return [taker.registration.id for taker in filled.takers(org, subject, sequence=1)]


@pytest.mark.check(5)
def test_check_05_a_registration_for_any_session_takes_the_first_message_of_each() -> None:
    filled = registry(registration(f"{P}.sessionuuid.#.webchatmessagetype.firstmessage"))
    assert ids(filled) == [uuid_of(1)]
    assert ids(registry(registration(f"{P}.#.webchatmessagetype.firstmessage"))) == []


@pytest.mark.check(6)
def test_check_06_a_registration_for_a_whole_chat_takes_nothing_of_another() -> None:
    filled = registry(registration(f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop.*"))
    assert ids(filled, FIRST) == ids(filled, CONFIGURATION) == [uuid_of(1)]
    assert ids(filled, FIRST.replace("draftshop", "draftother")) == []


@pytest.mark.check(7)
def test_check_07_an_event_triggers_a_registration_once_however_many_forms_match() -> None:
    path = f"{P}.webchatmessagetype.firstmessage"
    filled = registry(registration(path, f"{P}.*", path, mechanism="evt"))
    (taker,) = filled.takers(ORG, FIRST, sequence=1)
    assert taker.event == "event0"


@pytest.mark.check(8)
def test_check_08_single_and_doubled_session_pairs_both_run_once() -> None:
    pair = f"sessionuuid.{S}"
    single = registration(f"{P}.{pair}.webchatmessagetype.configuration", number=1, mechanism="evt")
    doubled = registration(f"{P}.{pair}.{pair}.webchatmessagetype.configuration", number=2, mechanism="evt")
    assert ids(registry(single, doubled), CONFIGURATION) == [uuid_of(1), uuid_of(2)]


def test_every_evt_runs_and_of_the_cbh_the_one_registered_first() -> None:
    filled = registry(
        registration(f"{P}.*", number=4, mechanism="evt"),
        registration(f"{P}.*", number=3, mechanism="cbh"),
        registration(f"{P}.*", number=2, mechanism="cbh"),
        registration(f"{P}.*", number=1, mechanism="evt"),
    )
    assert ids(filled) == [uuid_of(1), uuid_of(2), uuid_of(4)]


def test_a_shadowed_wish_does_not_keep_a_registrations_other_wish_from_running() -> None:
    mixed = params(f"{P}.*", number=2)
    mixed["events"]["all"] = {"path": f"{P}.*", "mechanism": "evt"}
    second = made(read_register(mixed, org=ORG), number=2)
    takers = registry(registration(f"{P}.*", number=1), second).takers(ORG, FIRST, sequence=1)
    assert [(taker.registration.id, taker.event) for taker in takers] == [(uuid_of(1), "event0"), (uuid_of(2), "all")]


def test_other_orgs_registrations_take_nothing() -> None:
    filled = registry(registration(f"{P}.*"))
    assert ids(filled, org=OTHER_ORG) == []
    assert filled.of_org(OTHER_ORG) == ()


def test_the_same_uuid_again_replaces_the_registration() -> None:
    filled = registry(registration(f"{P}.*"), registration(f"{P}.webchatmessagetype.initialize"))
    assert ids(filled) == []
    assert len(filled.of_org(ORG)) == 1


def test_a_removed_registration_takes_nothing_and_may_be_removed_again() -> None:
    filled = registry(registration(f"{P}.*"))
    for org in (ORG, ORG, OTHER_ORG):
        filled.remove(org, uuid_of(1))
    assert ids(filled) == []


def test_a_later_cbh_on_the_same_path_is_told_whom_it_stands_behind() -> None:
    first = registration(f"{P}.webchatmessagetype.firstmessage", number=1)
    later = registration(f"{P}.x.y", f"{P}.sessionuuid.#.webchatmessagetype.firstmessage", number=2)
    filled = registry(first, later)
    assert filled.shadowing(later) == first
    assert filled.shadowing(first) is None


@pytest.mark.parametrize(
    ("mechanism", "older"),
    [
        pytest.param("evt", "cbh", id="an evt runs beside any cbh"),
        pytest.param("cbh", "evt", id="an evt takes nothing away"),
    ],
)
def test_an_evt_neither_shadows_nor_is_shadowed(mechanism: Literal["evt", "cbh"], older: Literal["evt", "cbh"]) -> None:
    later = registration(f"{P}.*", number=2, mechanism=mechanism)
    assert registry(registration(f"{P}.*", number=1, mechanism=older), later).shadowing(later) is None


@given(st.permutations(range(1, 6)), st.lists(st.sampled_from(["evt", "cbh"]), min_size=5, max_size=5))
def test_who_takes_an_event_does_not_depend_on_the_order_in_which_we_learn_of_them(
    order: list[int], mechanisms: list[Literal["evt", "cbh"]]
) -> None:
    def one(number: int) -> Registration:
        return registration(f"{P}.*", number=number, mechanism=mechanisms[number - 1])

    takers = ids(registry(*(one(number) for number in order)))
    assert takers == ids(registry(*(one(number) for number in sorted(order))))
    assert len(takers) == len(set(takers))
    assert sum(mechanisms[int(taker[-12:]) - 1] == "cbh" for taker in takers) == min(1, mechanisms.count("cbh"))


def test_the_documented_task_is_read_as_it_stands() -> None:
    task = {
        "uuid": uuid_of(7),
        "registration_name": "heimdall_webchat_initial_message",
        "on_trigger_method": "remove",
        "events": {
            "webchat_initial_message": {
                "path": f"{P}.webchatmessagetype.firstmessage",
                "mechanism": "cbh",
                "timeout_seconds": 3600,
            }
        },
        "trigger_stubaction": {
            "action_name": "create_stub",
            "stubref": "2024-11-11-ABCD",
            "message": "Created stub from webchat",
            "data": {"a": 1},
        },
    }
    found = made(read_register(task, org=ORG), number=7)
    assert (found.id, found.stub, found.action) == (uuid_of(7), Stub.parse("demo.A"), "create_stub")
    assert (found.message, found.data, found.keep) == ("Created stub from webchat", {"a": 1}, False)
    assert [wish.event for wish in found.wishes] == ["webchat_initial_message"]


def test_what_is_left_out_of_a_task_has_its_default() -> None:
    checked = read_register(params(f"{P}.*"), org=ORG)
    assert (checked.on_trigger_method, checked.events["event0"].timeout_seconds) == ("keep", 3600)
    assert (checked.trigger_stubaction.message, checked.trigger_stubaction.data) == ("", {})


def test_a_record_is_read_back_as_it_was_written() -> None:
    record = RegistrationRecord(org=ORG, stub="demo.A", since=5, params=read_register(params(f"{P}.*"), org=ORG))
    assert validate(RegistrationRecord, dump(record), what="registration") == record


@pytest.mark.parametrize(
    "task",
    [
        pytest.param({**params(f"{P}.*"), "uuid": "first"}, id="an identity that is no uuid"),
        pytest.param(params(), id="no event"),
        pytest.param(params(*[f"{P}.*"] * (EVENTS_MAX + 1)), id="too many events"),
        pytest.param(params(f"{P}.*", mechanism="rnd"), id="a mechanism of a later version"),
        pytest.param(params(""), id="an empty path"),
        pytest.param(params("stubber.systems.notifications.#.org.x"), id="a wildcard for the channel"),
        pytest.param(params("stubber.systems.notifications.*"), id="all channels"),
        pytest.param(params(f"{P}.*", on_trigger_method="maybe"), id="a method that is none"),
    ],
)
def test_a_task_that_does_not_validate_is_refused(task: Body) -> None:
    with pytest.raises(InvalidBodyError, match="heimdall_register does not validate"):
        read_register(task, org=ORG)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(P.replace(ORG, OTHER_ORG) + ".*", id="another org"),
        pytest.param(P.replace(ORG, "#") + ".*", id="any org"),
        pytest.param(f"stubber.systems.stubs.org.{ORG}.*", id="runs for stubs"),
        pytest.param("stubber.systems", id="too short"),
        pytest.param(f"{P}.*.x", id="a star before the end"),
        pytest.param(f"{P}.>", id="NATS spelling"),
    ],
)
def test_a_path_that_leaves_the_org_or_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(InvalidPatternError):
        read_register(params(path), org=ORG)


def test_a_used_up_registration_matches_the_event_that_used_it_and_no_other() -> None:
    used = dataclasses.replace(registration(f"{P}.*", number=1), keep=False, used_by=7)
    filled = registry(used)
    assert [taker.registration for taker in filled.takers(ORG, FIRST, sequence=7)] == [used]
    assert filled.takers(ORG, FIRST, sequence=8) == ()
    assert filled.of_org(ORG) == ()
