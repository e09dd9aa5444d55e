"""The index of patterns: the same as trying each pattern, in the same order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.domain.matching import Key, PatternIndex
from broker.domain.patterns import Pattern

tokens = st.sampled_from(["a", "b", "c", "*"])
wholes = st.lists(tokens, min_size=1, max_size=5).map(tuple)
deeps = st.lists(tokens, max_size=4).map(lambda found: (*found, ">"))
patterns = st.one_of(wholes, deeps).map(Pattern)
subjects = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6).map(tuple)
shelves = st.lists(st.tuples(st.integers(0, 5), patterns), max_size=30)


def key_of(place: int) -> Key:
    return (place, "x", 0)


def filled(shelf: list[tuple[int, Pattern]]) -> PatternIndex[int]:
    index: PatternIndex[int] = PatternIndex()
    for place, pattern in shelf:
        index.put(pattern, key_of(place), place)
    return index


@given(shelves, subjects)
def test_a_match_finds_what_trying_each_pattern_finds_in_the_order_of_the_keys(
    shelf: list[tuple[int, Pattern]], subject: tuple[str, ...]
) -> None:
    assert list(filled(shelf).match(subject)) == sorted({place for place, pattern in shelf if pattern.matches(subject)})


@given(shelves, patterns)
def test_overlaps_are_what_comparing_each_pair_finds(shelf: list[tuple[int, Pattern]], pattern: Pattern) -> None:
    assert list(filled(shelf).overlapping(pattern)) == sorted(
        {place for place, other in shelf if other.overlaps(pattern)}
    )


@given(patterns, patterns, subjects)
def test_patterns_that_match_one_subject_overlap_both_ways(
    one: Pattern, other: Pattern, subject: tuple[str, ...]
) -> None:
    assert one.overlaps(other) == other.overlaps(one)
    if one.matches(subject) and other.matches(subject):
        assert one.overlaps(other)


@given(patterns, patterns)
def test_patterns_that_overlap_have_a_subject_in_common(one: Pattern, other: Pattern) -> None:
    if one.overlaps(other):
        assert any(one.matches(subject) and other.matches(subject) for subject in _samples(one, other))


def _samples(one: Pattern, other: Pattern) -> list[tuple[str, ...]]:
    """Subjects made of both: at each level the one token that is no wildcard, and as long as the longer."""
    length = max(len(one.tokens), len(other.tokens))
    levels = [{p.tokens[place] for p in (one, other) if place < len(p.tokens)} - {"*", ">"} for place in range(length)]
    return [tuple(min(level, default="a") for level in levels)]


@given(shelves, st.data())
def test_what_is_removed_is_found_no_more_and_the_rest_stays(
    shelf: list[tuple[int, Pattern]], data: st.DataObject
) -> None:
    index = filled(shelf)
    gone = data.draw(st.sets(st.integers(0, len(shelf))))
    for number, (place, pattern) in enumerate(shelf):
        if number in gone:
            index.remove(pattern, key_of(place))
            index.remove(pattern, key_of(place))
    removed = {shelf[number] for number in gone if number < len(shelf)}
    left = [entry for entry in shelf if entry not in removed]
    subject = data.draw(subjects)
    assert list(index.match(subject)) == list(filled(left).match(subject))


def test_removing_what_was_never_there_changes_nothing() -> None:
    index = filled([(1, Pattern(("a", "b")))])
    for pattern in (Pattern(("a",)), Pattern(("a", "c")), Pattern(("a", "b", "c")), Pattern(("a", ">"))):
        index.remove(pattern, key_of(1))
    assert list(index.match(("a", "b"))) == [1]


def test_an_emptied_index_holds_on_to_nothing() -> None:
    index = filled([(1, Pattern(("a", "b", "c"))), (2, Pattern(("a", ">")))])
    index.remove(Pattern(("a", "b", "c")), key_of(1))
    index.remove(Pattern(("a", ">")), key_of(2))
    assert index._root.empty


@given(shelves, subjects)
def test_putting_a_key_again_replaces_its_value(shelf: list[tuple[int, Pattern]], subject: tuple[str, ...]) -> None:
    index = filled(shelf)
    for place, pattern in shelf:
        index.put(pattern, key_of(place), place + 100)
    assert list(index.match(subject)) == [place + 100 for place in filled(shelf).match(subject)]
