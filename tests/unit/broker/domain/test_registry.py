"""The registry: which registrations take an event, each at most once, in the order they were made."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.ids import OrgId
from broker.domain.registrations import Mechanism, Registration, read_register
from broker.domain.registry import Occasion, Registry, Taker, Turn
from tests.unit.broker.domain.wishes import (
    CONFIGURATION,
    FIRST,
    ORG,
    OTHER_ORG,
    P,
    S,
    made,
    params,
    registration,
    uuid_of,
)


def registry(*registrations: Registration) -> Registry:
    filled = Registry()
    for each in registrations:
        filled.put(each)
    return filled


def turns(first: int = 0) -> Turn:
    """One turn after the other, whoever the candidates are."""
    numbers = count(first)
    return lambda _candidates: next(numbers)


def taken(
    filled: Registry,
    *,
    sequence: int = 1,
    at_ms: int = 0,
    emitted: Mechanism = "*",
    turn: Turn | None = None,
) -> tuple[Taker, ...]:
    return filled.takers(ORG, FIRST, Occasion(sequence, at_ms, emitted), turn or turns())


def ids(filled: Registry, subject: str = FIRST, org: OrgId = ORG) -> list[str]:
    return [taker.registration.id for taker in filled.takers(org, subject, Occasion(1, 0), turns())]


def numbers(takers: tuple[Taker, ...]) -> list[int]:
    return [int(taker.registration.id[-12:]) for taker in takers]


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
    (taker,) = taken(filled)
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
    takers = taken(registry(registration(f"{P}.*", number=1), second))
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
def test_an_evt_neither_shadows_nor_is_shadowed(mechanism: Mechanism, older: Mechanism) -> None:
    later = registration(f"{P}.*", number=2, mechanism=mechanism)
    assert registry(registration(f"{P}.*", number=1, mechanism=older), later).shadowing(later) is None


@given(st.permutations(range(1, 6)), st.lists(st.sampled_from(["evt", "cbh"]), min_size=5, max_size=5))
def test_who_takes_an_event_does_not_depend_on_the_order_in_which_we_learn_of_them(
    order: list[int], mechanisms: list[Mechanism]
) -> None:
    def one(number: int) -> Registration:
        return registration(f"{P}.*", number=number, mechanism=mechanisms[number - 1])

    takers = ids(registry(*(one(number) for number in order)))
    assert takers == ids(registry(*(one(number) for number in sorted(order))))
    assert len(takers) == len(set(takers))
    assert sum(mechanisms[int(taker[-12:]) - 1] == "cbh" for taker in takers) == min(1, mechanisms.count("cbh"))


def test_a_used_up_registration_matches_the_event_that_used_it_and_no_other() -> None:
    used = dataclasses.replace(registration(f"{P}.*", number=1), keep=False, used_by=7)
    filled = registry(used)
    assert [taker.registration for taker in taken(filled, sequence=7)] == [used]
    assert taken(filled, sequence=8) == ()
    assert filled.of_org(ORG) == ()


def each_of(mechanism: Mechanism, *, number: int = 3) -> Registry:
    return registry(*(registration(f"{P}.*", number=place, mechanism=mechanism) for place in range(1, number + 1)))


def test_round_robin_runs_one_after_the_other_each_once_per_round() -> None:
    filled, turn = each_of("rra"), turns()
    runs = [numbers(taken(filled, sequence=sequence, turn=turn)) for sequence in range(7)]
    assert runs == [[1], [2], [3], [1], [2], [3], [1]]


def test_those_who_take_turns_are_told_to_whoever_counts() -> None:
    asked: list[tuple[str, ...]] = []

    def turn(candidates: tuple[str, ...]) -> int:
        asked.append(candidates)
        return 0

    both = registry(registration(f"{P}.*", f"{P}.#.#.#.#", mechanism="rra"), registration(f"{P}.*", number=2))
    taken(both, turn=turn)
    assert asked == [(uuid_of(1),)]


def test_random_runs_exactly_one_the_same_for_the_same_event_and_each_about_as_often() -> None:
    filled = each_of("rnd")
    runs = [numbers(taken(filled, sequence=sequence)) for sequence in range(3_000)]
    assert runs == [numbers(taken(filled, sequence=sequence)) for sequence in range(3_000)]
    often = Counter(run for (run,) in runs)
    assert set(often) == {1, 2, 3}
    assert min(often.values()) > 800


@pytest.mark.parametrize("mechanism", ["evt", "evb", "*"])
def test_every_registration_runs_where_none_is_chosen(mechanism: Mechanism) -> None:
    assert numbers(taken(each_of(mechanism))) == [1, 2, 3]


@pytest.mark.parametrize("mechanism", ["cbh", "rra", "rnd"])
@pytest.mark.parametrize("used", [1, 2, 3])
def test_who_was_used_up_by_this_very_event_is_chosen_again(mechanism: Mechanism, used: int) -> None:
    filled = each_of(mechanism)
    again = registration(f"{P}.*", number=used, mechanism=mechanism)
    filled.put(dataclasses.replace(again, keep=False, used_by=9))
    assert {tuple(numbers(taken(filled, sequence=9, turn=turns(first)))) for first in range(3)} == {(used,)}


def test_the_run_of_a_chosen_one_has_the_same_key_whoever_is_chosen() -> None:
    for mechanism in ("cbh", "rra", "rnd"):
        one, other = registration(f"{P}.*", mechanism=mechanism), registration(f"{P}.*", number=2, mechanism=mechanism)
        keys = {taken(registry(each))[0].run_key for each in (one, other)}
        assert keys == {mechanism}
    assert [taker.run_key for taker in taken(each_of("evt", number=2))] == [uuid_of(1), uuid_of(2)]


ALL: tuple[Mechanism, ...] = ("*", "evt", "cbh", "rra", "rnd", "evb")


@pytest.mark.parametrize("emitted", ["evt", "cbh", "rra", "rnd", "evb"])
def test_an_event_of_one_mechanism_reaches_that_and_those_registered_for_all(emitted: Mechanism) -> None:
    for mechanism in ALL:
        reached = bool(taken(registry(registration(f"{P}.*", mechanism=mechanism)), emitted=emitted))
        assert reached == (mechanism in ("*", emitted))


def test_an_event_of_all_mechanisms_reaches_one_of_each_kind() -> None:
    filled = registry(*(registration(f"{P}.*", number=place, mechanism=m) for place, m in enumerate(ALL, 1)))
    assert numbers(taken(filled)) == [1, 2, 3, 4, 5, 6]


def test_a_registration_for_all_competes_for_the_one_place_where_one_is_chosen() -> None:
    filled = registry(
        registration(f"{P}.*", number=1, mechanism="*"), registration(f"{P}.*", number=2, mechanism="cbh")
    )
    assert numbers(taken(filled, emitted="cbh")) == [1]
    assert [taker.mechanism for taker in taken(filled)] == ["evt", "cbh"]


def test_a_wait_that_is_over_takes_nothing_from_its_last_moment_on() -> None:
    task = params(f"{P}.*", on_trigger_method="remove")
    task["events"]["event0"]["timeout_seconds"] = 60
    filled = registry(made(read_register(task, org=ORG), made_at_ms=1_000))
    assert len(taken(filled, at_ms=60_999)) == 1
    assert taken(filled, at_ms=61_000) == ()


def test_one_that_lapsed_still_takes_what_came_before_and_is_not_listed() -> None:
    task = params(f"{P}.*", on_trigger_method="remove")
    filled = registry(made(read_register(task, org=ORG), made_at_ms=0, lapse="reported"))
    assert len(taken(filled, at_ms=1)) == 1
    assert (filled.of_org(ORG), filled.count(ORG)) == ((), 0)


def test_the_time_of_a_run_comes_with_its_taker() -> None:
    task = params(f"{P}.*")
    task["events"]["event0"]["timeout_seconds"] = 2.5
    assert taken(registry(made(read_register(task, org=ORG))))[0].run_s == 2.5


def test_an_orgs_registrations_are_counted_and_found_by_their_id() -> None:
    filled = each_of("evt")
    filled.put(registration(f"{P}.*", number=2))
    assert (filled.count(ORG), filled.count(OTHER_ORG)) == (3, 0)
    found = filled.get(ORG, uuid_of(2))
    assert found is not None
    assert found.wishes[0].mechanism == "cbh"
    assert filled.get(ORG, uuid_of(9)) is None
    assert filled.get(OTHER_ORG, uuid_of(2)) is None


@pytest.mark.parametrize(
    ("older", "later", "shadows"),
    [
        pytest.param(f"{P}.*", f"{P}.webchatmessagetype.initialize", 1, id="a whole chat before one of its events"),
        pytest.param(f"{P}.webchatmessagetype.initialize", f"{P}.*", 1, id="one event before the whole chat"),
        pytest.param(f"{P}.#.initialize", f"{P}.webchatmessagetype.#", 1, id="two wildcards that cross"),
        pytest.param(f"{P}.webchatmessagetype.message", f"{P}.webchatmessagetype.initialize", 0, id="other events"),
        pytest.param(f"{P}.*", P, 0, id="anything deeper is not the place itself"),
    ],
)
def test_a_cbh_stands_behind_an_older_one_as_soon_as_some_event_matches_both(
    older: str, later: str, shadows: int
) -> None:
    first, second = registration(older, number=1), registration(later, number=2)
    filled = registry(first, second)
    assert filled.shadowing(second) == (first if shadows else None)
    assert filled.shadowing(first) is None


def test_of_several_that_stand_before_it_the_oldest_is_told() -> None:
    filled = registry(*(registration(f"{P}.*", number=number) for number in (3, 1, 2)))
    found = filled.shadowing(registration(f"{P}.*", number=3))
    assert found is not None
    assert found.id == uuid_of(1)
    filled.put(dataclasses.replace(registration(f"{P}.*", number=1), used_by=4))
    found = filled.shadowing(registration(f"{P}.*", number=3))
    assert found is not None
    assert found.id == uuid_of(2)


def test_an_org_without_registrations_shadows_nobody() -> None:
    assert Registry().shadowing(registration(f"{P}.*")) is None


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_whatever_was_put_and_removed_the_oldest_of_those_there_owns_the_event(steps: list[tuple[int, bool]]) -> None:
    filled, there = Registry(), set[int]()
    for number, put in steps:
        if put:
            filled.put(registration(f"{P}.*", number=number))
            there.add(number)
        else:
            filled.remove(ORG, uuid_of(number))
            there.discard(number)
    assert numbers(taken(filled)) == sorted(there)[:1]
    assert [int(found.id[-12:]) for found in filled.of_org(ORG)] == sorted(there)
