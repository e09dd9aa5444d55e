"""Which texts git could have as a branch or a tag: the rules of git-check-ref-format, and git itself beside them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.webim.administration.git_refs import is_reference, may_be_commit


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("master", id="a branch"),
        pytest.param("feature/one.two", id="with folders and dots"),
        pytest.param("v1.2.3", id="a tag"),
        pytest.param("a" * 255, id="as long as it may be"),
        pytest.param("ветка", id="other letters"),
        pytest.param("a@b", id="an @ inside"),
        pytest.param("{curly}", id="braces without an @"),
        pytest.param("1234567", id="a short hash"),
        pytest.param("A" * 64, id="a long hash in capitals"),
    ],
)
def test_a_reference_is_taken(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "a..b",
        ".hidden",
        "a/.hidden",
        "a.lock",
        "a.lock/b",
        "a@{1}",
        "a\\b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\nb",
        "a\x7f",
        "/a",
        "a/",
        "a//b",
        "a.",
        "@",
        "-a",
        "",
        pytest.param("я" * 128, id="256 bytes"),
    ],
)
def test_what_git_refuses_is_refused(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("abcdef0", True), ("abcdef", False), ("g" * 40, False), ("0" * 41, False)]
)
def test_a_hash_has_seven_to_forty_digits_or_sixty_four(text: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert may_be_commit(text) is expected


@pytest.mark.skipif(shutil.which("git") is None, reason="git itself is the judge here")
@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab/.@{-~ \\*lock", min_size=1, max_size=8))
def test_git_says_the_same(text: str) -> None:
    judged = subprocess.run(["git", "check-ref-format", f"refs/heads/{text}"], check=False).returncode == 0
    ours = is_reference(text)
    # Git allows a first '-' and a lone '@' below refs/heads/; as an argument of commands they would be something else.
    assert ours == (judged and not text.startswith("-") and text != "@")
