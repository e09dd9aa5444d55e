"""Registrations: a stub's wishes, as they are asked for, kept and read."""

from __future__ import annotations

import pytest

from broker.domain.ids import Stub
from broker.domain.registrations import (
    EVENTS_MAX,
    WAIT_S_MAX,
    Mechanism,
    RegistrationRecord,
    mechanism_of,
    read_register,
)
from broker.domain.wire import Body, dump, validate
from broker.errors import InvalidBodyError, InvalidNameError, InvalidPatternError
from tests.unit.broker.domain.wishes import ORG, OTHER_ORG, P, made, params, uuid_of


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
    assert (checked.on_trigger_method, checked.events["event0"].timeout_seconds) == ("keep", None)
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
        pytest.param(params(f"{P}.*", mechanism="all"), id="a mechanism that there is not"),
        pytest.param(
            {
                **params(f"{P}.*"),
                "events": {"it": {"path": "a", "mechanism": "evt", "timeout_seconds": WAIT_S_MAX + 1}},
            },
            id="a wait of more than a year",
        ),
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


@pytest.mark.parametrize("mechanism", ["*", "evt", "cbh", "rra", "rnd", "evb"])
def test_all_documented_mechanisms_are_taken(mechanism: Mechanism) -> None:
    assert made(read_register(params(f"{P}.*", mechanism=mechanism), org=ORG)).wishes[0].mechanism == mechanism
    assert mechanism_of(mechanism) == mechanism


def test_a_mechanism_that_there_is_not_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(InvalidNameError, match="evt, cbh, rra, rnd, evb"):
        mechanism_of("EVT")


def _wish(timeout_seconds: float | None, method: str) -> Body:
    task = params(f"{P}.*", on_trigger_method=method)
    if timeout_seconds is not None:
        task["events"]["event0"]["timeout_seconds"] = timeout_seconds
    return task


@pytest.mark.parametrize(
    ("timeout_seconds", "method", "until_ms", "run_s"),
    [
        pytest.param(60, "remove", 1_060_000, None, id="of one time: the wait"),
        pytest.param(0.5, "remove", 1_000_500, None, id="a part of a second"),
        pytest.param(None, "remove", 4_600_000, None, id="of one time, unsaid: the documented hour"),
        pytest.param(60, "keep", None, 60.0, id="one that stays: each run"),
        pytest.param(None, "keep", None, None, id="one that stays, unsaid: the service's own limit"),
    ],
)
def test_the_timeout_limits_the_wait_of_one_time_and_the_run_of_one_that_stays(
    timeout_seconds: float | None, method: str, until_ms: int | None, run_s: float | None
) -> None:
    found = made(read_register(_wish(timeout_seconds, method), org=ORG), made_at_ms=1_000_000)
    assert (found.wishes[0].until_ms, found.wishes[0].run_s, found.until_ms) == (until_ms, run_s, until_ms)


def test_a_registration_waits_as_long_as_the_longest_of_its_wishes() -> None:
    task = params(f"{P}.*", f"{P}.#", on_trigger_method="remove")
    task["events"]["event1"]["timeout_seconds"] = 7_200
    assert made(read_register(task, org=ORG), made_at_ms=0).until_ms == 7_200_000


def test_the_wait_of_an_older_record_counts_from_its_place_in_the_order() -> None:
    found = made(read_register(_wish(60, "remove"), org=ORG), since=5_000_000_000)
    assert found.until_ms == 65_000


def test_a_registration_is_live_until_it_is_used_or_lapses() -> None:
    checked = read_register(params(f"{P}.*"), org=ORG)
    assert made(checked).live
    assert not made(checked, used_by=3).live
    assert not made(checked, lapse="lapsed").live
