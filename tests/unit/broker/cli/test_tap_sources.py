from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.tap_sources import Narrowing, Source, meet, sources
from broker.domain.ids import OrgId, SessionId
from broker.domain.patterns import Pattern
from broker.errors import InvalidPatternError

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
N = "stubber.systems.notifications"


def found(pattern: str, **narrowing: OrgId | SessionId) -> dict[str | None, tuple[str, ...]]:
    return {
        source.stream: source.filters
        for source in sources(Pattern.from_nats(pattern), Narrowing(**narrowing))  # type: ignore[arg-type] # by name
    }


def test_stored_subjects_are_looked_for_with_and_without_their_partition() -> None:
    assert sources(Pattern.from_nats(f"{N}.>"), Narrowing()) == (Source("CONVERSATIONS", (f"{N}.>", f"p.*.{N}.>")),)


@pytest.mark.parametrize("pattern", [">", "stubber.>", "stubber.systems.>", "*.systems.>"])
def test_a_wide_pattern_reads_every_area_that_can_be_watched(pattern: str) -> None:
    assert set(found(pattern)) == {"CONVERSATIONS", "DELIVERIES", "TIMERS", "DEADLETTERS", "WEBHOOKS", None}


def test_signals_are_subscribed_to_as_they_are() -> None:
    assert found("stubber.systems.signals.>") == {None: ("stubber.systems.signals.>",)}


def test_an_org_narrows_what_the_server_sends() -> None:
    assert found(f"{N}.>", org=ORG)["CONVERSATIONS"][0] == f"{N}.*.org.{ORG}.>"
    assert found("stubber.systems.stubs.>", org=ORG)["DELIVERIES"][0] == f"stubber.systems.stubs.org.{ORG}.>"
    assert found("stubber.systems.timers.>", org=ORG)["TIMERS"][0] == f"stubber.systems.timers.*.*.org.{ORG}.>"


def test_a_session_is_found_by_its_subject_and_by_the_initialize_of_all() -> None:
    assert found(f"{N}.>", session=SESSION)["CONVERSATIONS"] == (
        f"{N}.*.org.*.name.*.sessionuuid.{SESSION}.>",
        f"{N}.*.org.*.name.*.*.initialize",
        f"p.*.{N}.*.org.*.name.*.sessionuuid.{SESSION}.>",
        f"p.*.{N}.*.org.*.name.*.*.initialize",
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("stubber.systems.commands.>", "would disturb them", id="commands"),
        pytest.param("stubber.systems.orders.>", "expected 'stubber.systems.'", id="no area of ours"),
        pytest.param("stubber.systems", "expected 'stubber.systems.'", id="too short for any"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_a_reason(pattern: str, expected: str) -> None:
    with pytest.raises(InvalidPatternError, match=expected):
        sources(Pattern.from_nats(pattern), Narrowing())


TOKENS = st.sampled_from(["a", "b", "*"])
PATTERNS = st.builds(
    lambda head, deep: (*head, ">") if deep or not head else tuple(head),
    st.lists(TOKENS, max_size=4),
    st.booleans(),
)
SUBJECTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6).map(tuple)


@given(PATTERNS, PATTERNS, SUBJECTS)
def test_the_meeting_of_two_patterns_matches_what_both_match(
    one: tuple[str, ...], other: tuple[str, ...], subject: tuple[str, ...]
) -> None:
    met = meet(one, other)
    both = Pattern(one).matches(subject) and Pattern(other).matches(subject)
    assert (met is not None and Pattern(met).matches(subject)) == both
