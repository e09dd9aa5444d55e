"""Sharing out: one owner each, balanced, and nothing moves that need not."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from broker.domain.assignment import share_out

MEMBERS = st.sets(st.text("abcdef0123456789", min_size=1, max_size=6), min_size=1, max_size=12)
PARTITIONS = st.integers(1, 64).map(lambda count: [f"linker-{number}" for number in range(count)])


def moved(before: dict[str, str], after: dict[str, str]) -> int:
    return sum(before[partition] != after[partition] for partition in before)


@given(MEMBERS, PARTITIONS, st.data())
def test_every_partition_has_one_owner_and_shares_differ_by_one_at_most(
    members: set[str], partitions: list[str], data: st.DataObject
) -> None:
    held = data.draw(st.dictionaries(st.sampled_from(partitions), st.sampled_from([*members, "gone"])))
    owners = share_out(members, partitions, held)
    assert set(owners) == set(partitions)
    counts = {member: list(owners.values()).count(member) for member in members}
    assert sum(counts.values()) == len(partitions)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert max(counts.values()) <= -(-len(partitions) // len(members))


@given(MEMBERS, PARTITIONS)
def test_the_answer_is_the_same_in_whatever_order_members_and_partitions_come(
    members: set[str], partitions: list[str]
) -> None:
    forwards = share_out(sorted(members), partitions, {})
    assert share_out(sorted(members, reverse=True), list(reversed(partitions)), {}) == forwards


@given(MEMBERS, PARTITIONS)
def test_who_holds_what_it_was_given_is_given_the_same_again(members: set[str], partitions: list[str]) -> None:
    owners = share_out(members, partitions, {})
    assert share_out(members, partitions, owners) == owners


@given(MEMBERS, PARTITIONS)
def test_a_join_moves_only_what_the_newcomer_gets(members: set[str], partitions: list[str]) -> None:
    before = share_out(members, partitions, {})
    after = share_out(members | {"newcomer"}, partitions, before)
    assert moved(before, after) == list(after.values()).count("newcomer")


@given(MEMBERS.filter(lambda members: len(members) > 1), PARTITIONS)
def test_a_leave_moves_only_what_the_leaver_had(members: set[str], partitions: list[str]) -> None:
    before = share_out(members, partitions, {})
    leaver = min(members)
    after = share_out(members - {leaver}, partitions, before)
    assert moved(before, after) == list(before.values()).count(leaver)


@given(MEMBERS, PARTITIONS, st.randoms(use_true_random=False))
def test_partitions_that_change_hands_one_by_one_in_any_order_come_to_rest(
    members: set[str], partitions: list[str], chance: random.Random
) -> None:
    everyone = members | {"newcomer", "another"}
    held = share_out(members, partitions, {})
    steps = 0
    while held != (aim := share_out(everyone, partitions, held)):
        partition = chance.choice([each for each in partitions if held.get(each) != aim[each]])
        if partition in held:
            del held[partition]
        else:
            held[partition] = aim[partition]
        steps += 1
        assert steps <= 4 * len(partitions)


def test_nobody_there_owns_nothing() -> None:
    assert share_out([], ["linker-0"], {"linker-0": "gone"}) == {}
