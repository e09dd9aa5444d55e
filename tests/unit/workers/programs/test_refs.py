"""Which commit a branch, a tag or a hash means."""

from __future__ import annotations

import pytest

from broker.errors import AmbiguousCommitError, UnknownRefError
from workers.programs.refs import Refs, Resolved, begun_with, may_be_commit, named, parse_refs

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.mark.parametrize("blank", ["\t", " "])
def test_a_listing_gives_the_commits_of_branches_and_tags_also_of_annotated_ones(blank: str) -> None:
    lines = [
        f"{A}{blank}HEAD",
        f"{A}{blank}refs/heads/master",
        f"{B}{blank}refs/heads/feature/one",
        f"{C}{blank}refs/tags/v1",
        f"{B}{blank}refs/tags/v2",
        f"{A}{blank}refs/tags/v2^{{}}",
        "",
    ]
    assert parse_refs("\n".join(lines)) == Refs({"master": A, "feature/one": B}, {"v1": C, "v2": A})


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        pytest.param("master", Resolved("branch", A), id="a branch"),
        pytest.param("v1", Resolved("tag", B), id="a tag"),
        pytest.param("both", Resolved("branch", A), id="a branch wins over a tag"),
        pytest.param("Master", None, id="the case counts"),
        pytest.param("refs/heads/master", None, id="only the name itself"),
        pytest.param("mast", None, id="no part of a name"),
    ],
)
def test_a_reference_is_exactly_a_branch_or_exactly_a_tag(ref: str, expected: Resolved | None) -> None:
    assert named(ref, Refs({"master": A, "both": A}, {"v1": B, "both": B})) == expected


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        pytest.param("a" * 6, False, id="too short"),
        pytest.param("a" * 7, True, id="as short as may be"),
        pytest.param("ABCDEF0", True, id="in capitals"),
        pytest.param("a" * 40, True, id="a whole one"),
        pytest.param("a" * 41, False, id="longer than a whole one"),
        pytest.param("a" * 64, True, id="a whole one of the other kind"),
        pytest.param("abcdefg", False, id="another letter"),
        pytest.param("--abcdef0", False, id="an option"),
    ],
)
def test_what_looks_like_a_hash(ref: str, *, expected: bool) -> None:
    assert may_be_commit(ref) is expected


def test_the_beginning_of_one_commit_is_that_commit() -> None:
    assert begun_with("aaaaaaa", [A]) == Resolved("commit", A)


def test_the_beginning_of_none_is_unknown_and_of_two_is_ambiguous() -> None:
    with pytest.raises(UnknownRefError):
        begun_with("aaaaaaa", [])
    with pytest.raises(AmbiguousCommitError, match="2 commits"):
        begun_with("aaaaaaa", [A, "a" * 39 + "b"])
