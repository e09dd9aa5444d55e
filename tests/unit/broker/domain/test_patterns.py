"""Patterns: two spellings of wildcards, each the reverse of the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.patterns import PATTERN_CHARACTERS_MAX, Dialect, Pattern, read_pattern, registered_forms
from broker.errors import InvalidPatternError

O = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"  # noqa: E741 - as the contract writes it
S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
P = f"stubber.systems.notifications.webchat.org.{O}.name.draftshop"
FIRST = f"{P}.sessionuuid.{S}.webchatmessagetype.firstmessage"
CONFIGURATION = f"{P}.sessionuuid.{S}.webchatmessagetype.configuration"

tokens = st.from_regex(r"[a-z0-9_$-]{1,12}", fullmatch=True)
subjects = st.lists(tokens, min_size=1, max_size=12)


def heimdall(text: str, subject: str) -> bool:
    return Pattern.from_heimdall(text).matches(tuple(subject.split(".")))


def registered(text: str, subject: str) -> int:
    """How many forms of a registered path match."""
    forms = registered_forms(Pattern.from_heimdall(text))
    return sum(form.matches(tuple(subject.split("."))) for form in forms)


@pytest.mark.check(5)
def test_check_05_a_hash_stands_for_exactly_one_level() -> None:
    assert heimdall(f"{P}.sessionuuid.#.webchatmessagetype.firstmessage", FIRST)
    assert heimdall(f"{P}.sessionuuid.#.webchatmessagetype.firstmessage", FIRST.replace(S, O))
    assert not heimdall(f"{P}.#.webchatmessagetype.firstmessage", FIRST)


@pytest.mark.check(6)
def test_check_06_a_last_star_matches_any_event_of_that_chat_alone() -> None:
    pattern = "stubber.systems.notifications.webchat.org.#.name.draftshop.*"
    assert all(heimdall(pattern, s) for s in (FIRST, CONFIGURATION, f"{P}.webchatmessagetype.initialize"))
    assert not heimdall(pattern, FIRST.replace("draftshop", "draftother"))


@pytest.mark.check(7)
def test_check_07_a_registration_without_a_session_pair_means_any_session() -> None:
    assert registered(f"{P}.webchatmessagetype.firstmessage", FIRST) == 1
    assert registered(f"{P}.webchatmessagetype.initialize", f"{P}.webchatmessagetype.initialize") == 1
    assert registered(f"{P}.webchatmessagetype.firstmessage", CONFIGURATION) == 0


@pytest.mark.check(8)
@pytest.mark.parametrize("session", [S, "#"])
def test_check_08_a_doubled_session_pair_is_one_pair(session: str) -> None:
    pair = f"sessionuuid.{session}"
    assert registered(f"{P}.{pair}.webchatmessagetype.configuration", CONFIGURATION) == 1
    assert registered(f"{P}.{pair}.{pair}.webchatmessagetype.configuration", CONFIGURATION) == 1


@given(subjects)
def test_a_subject_as_a_pattern_matches_itself_and_nothing_longer_or_shorter(subject: list[str]) -> None:
    for read in (Pattern.from_heimdall, Pattern.from_nats):
        pattern = read(".".join(subject))
        assert str(pattern) == ".".join(subject)
        assert pattern.matches(tuple(subject))
        assert not pattern.matches((*subject, "more"))
        assert not pattern.matches(tuple(subject[:-1]))


@given(subjects, st.data())
def test_putting_wildcards_in_never_stops_a_pattern_from_matching(subject: list[str], data: st.DataObject) -> None:
    places = data.draw(st.sets(st.integers(0, len(subject) - 1)))
    wild = ["#" if place in places else token for place, token in enumerate(subject)]
    assert heimdall(".".join(wild), ".".join(subject))
    kept = data.draw(st.integers(0, len(subject) - 1))
    assert heimdall(".".join([*wild[:kept], "*"]), ".".join(subject))


@given(subjects, st.data())
def test_both_spellings_of_one_pattern_are_the_same_pattern(subject: list[str], data: st.DataObject) -> None:
    places = data.draw(st.sets(st.integers(0, len(subject) - 1)))
    deep = data.draw(st.booleans())
    ours = ["#" if place in places else token for place, token in enumerate(subject)] + ["*"] * deep
    theirs = ["*" if place in places else token for place, token in enumerate(subject)] + [">"] * deep
    assert Pattern.from_heimdall(".".join(ours)) == Pattern.from_nats(".".join(theirs))


@given(st.text(alphabet="ab.*#> ", max_size=12))
def test_whatever_is_written_is_read_in_a_known_spelling_or_refused(text: str) -> None:
    try:
        pattern, dialect = read_pattern(text)
    except InvalidPatternError:
        return
    again = Pattern.from_heimdall(text) if dialect == "heimdall" else Pattern.from_nats(text)
    assert pattern == again


@pytest.mark.parametrize(
    ("text", "dialect", "nats"),
    [
        pytest.param("a.b", "heimdall", "a.b", id="no wildcard"),
        pytest.param("a.#.b", "heimdall", "a.*.b", id="a hash tells heimdall"),
        pytest.param("a.>", "nats", "a.>", id="a greater-than tells NATS"),
        pytest.param("a.*.b", "nats", "a.*.b", id="a star before the end tells NATS"),
        pytest.param("a.*", "heimdall", "a.>", id="a last star is taken for heimdall, which shows more"),
        pytest.param("a.*.*", "nats", "a.*.*", id="a star before the end tells what the last one is"),
        pytest.param("a.#.*", "heimdall", "a.*.>", id="a hash tells what the last star is"),
    ],
)
def test_the_spelling_is_told_from_the_wildcards(text: str, dialect: Dialect, nats: str) -> None:
    pattern, found = read_pattern(text)
    assert (found, str(pattern)) == (dialect, nats)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "0 characters", id="nothing"),
        pytest.param("a" * (PATTERN_CHARACTERS_MAX + 1), "1001 characters", id="too long"),
        pytest.param("a..b", "token 2 is empty", id="an empty token"),
        pytest.param("a.b c", "token 2 holds a character", id="a blank"),
        pytest.param("a.b*", "token 2 holds a character", id="a star inside a token"),
        pytest.param("a.{{stub.orguuid}}", "token 2 holds a character", id="an unfilled substitution"),
        pytest.param("a.#.>", "mixes", id="both spellings"),
        pytest.param("a.#.*.b", "mixes", id="both spellings, told by a star before the end"),
        pytest.param("a.>.b", "'>' may only stand at the end", id="anything deeper in the middle"),
        pytest.param("a.B", "upper case", id="upper case where no path has any"),
    ],
)
def test_what_cannot_be_a_pattern_is_refused_and_told_why(text: str, problem: str) -> None:
    with pytest.raises(InvalidPatternError, match="cannot be used") as refused:
        read_pattern(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a.*.b", "one level is '#'", id="a star before the end"),
        pytest.param("a.>", "a last '*'", id="NATS's anything deeper"),
    ],
)
def test_a_registration_takes_heimdalls_spelling_alone(text: str, problem: str) -> None:
    with pytest.raises(InvalidPatternError) as refused:
        Pattern.from_heimdall(text)
    assert problem in str(refused.value)


def test_a_pattern_read_as_nats_takes_no_hash() -> None:
    with pytest.raises(InvalidPatternError, match="one level is '\\*' here"):
        Pattern.from_nats("a.#")


def test_upper_case_is_fine_where_a_path_may_have_it() -> None:
    assert heimdall(f"stubber.systems.stubs.org.{O}.service.demo.stubref.ABCD.*", f"stubber.systems.stubs.org.{O}."
                    "service.demo.stubref.ABCD.action._create")  # fmt: skip


def test_a_path_that_ends_elsewhere_has_only_its_literal_form() -> None:
    for text in (f"{P}.*", f"{P}.sessionuuid.{S}.sessionuuid.{O}.x"):
        assert len(registered_forms(Pattern.from_heimdall(text))) == 1


@pytest.mark.parametrize("wildcard", ["#", "*"])
def test_any_type_without_a_session_pair_means_initialize_and_every_session(wildcard: str) -> None:
    forms = registered_forms(Pattern.from_heimdall(f"{P}.webchatmessagetype.{wildcard}"))
    for subject in (f"{P}.webchatmessagetype.initialize", f"{P}.sessionuuid.{S}.webchatmessagetype.message"):
        assert sum(form.matches(tuple(subject.split("."))) for form in forms) == 1
