from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.domain.redriving import Candidate, in_order


def letters_of(candidates: list[Candidate]) -> list[int]:
    return [candidate.letter for candidate in in_order(candidates)]


def test_events_go_back_in_the_order_of_the_log_whenever_they_were_set_aside() -> None:
    assert letters_of([Candidate(1, 30, "s"), Candidate(2, 10, "s"), Candidate(3, 20, "s")]) == [2, 3, 1]


def test_a_run_stands_behind_the_event_that_caused_it_and_before_later_ones() -> None:
    run = Candidate(1, 900, "s", stub="demo.A", caused_by=20)
    assert letters_of([run, Candidate(2, 10, "s"), Candidate(3, 30, "s"), Candidate(4, 20, "s")]) == [2, 4, 1, 3]


def test_the_runs_of_a_stub_keep_the_order_of_their_stream_whatever_caused_them() -> None:
    runs = [
        Candidate(1, 5, "s", stub="demo.A", caused_by=50),
        Candidate(2, 6, "t", stub="demo.A", caused_by=20),
        Candidate(3, 7, None, stub="demo.A"),
    ]
    assert letters_of(list(reversed(runs))) == [1, 2, 3]


@given(
    st.lists(
        st.tuples(st.sampled_from(["s", "t"]), st.sampled_from([None, "demo.A", "demo.B"]), st.integers(0, 60)),
        max_size=30,
    )
)
def test_no_session_s_events_and_no_stub_s_runs_are_ever_reordered(drawn: list[tuple[str, str | None, int]]) -> None:
    candidates = [
        Candidate(number, number, session, stub, caused_by if stub else 0)
        for number, (session, stub, caused_by) in enumerate(drawn)
    ]
    found = in_order(reversed(candidates))
    assert sorted(one.letter for one in found) == list(range(len(drawn)))
    for stub in (None, "demo.A", "demo.B"):
        positions = [one.position for one in found if one.stub == stub]
        assert positions == sorted(positions)
