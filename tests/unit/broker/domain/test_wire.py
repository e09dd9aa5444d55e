"""What all bodies have in common: how a body that does not validate is told."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, StringConstraints

from broker.domain.wire import (
    ACTION_PATTERN,
    NUMBER_PATTERN,
    PROBLEMS_MAX,
    STUB_PATTERN,
    UUID_PATTERN,
    Wire,
    dump,
    validate,
)
from broker.errors import InvalidBodyError


class Inner(Wire):
    number: int


class Outer(Wire):
    inner: Inner
    numbers: list[int] = []  # noqa: RUF012 - pydantic copies it
    note: str | None = None


class Noted(Wire):
    notes: dict[str, int]


class Left(Wire):
    type: Literal["left"]


class Right(Wire):
    type: Literal["right"]


class Chosen(Wire):
    one: Annotated[Left | Right, Field(discriminator="type")]


def test_a_body_that_fits_becomes_its_model_and_what_is_unknown_is_ignored() -> None:
    found = validate(Outer, {"inner": {"number": 1, "new": True}, "newer": {}}, what="outer")
    assert found == Outer(inner=Inner(number=1))


def test_a_problem_names_the_member_and_never_what_it_held() -> None:
    with pytest.raises(InvalidBodyError) as refused:
        validate(Outer, {"inner": {"number": "secret"}}, what="outer")
    assert refused.value.problems == ("inner.number: Input should be a valid integer",)
    assert "secret" not in str(refused.value)
    assert "secret" not in str(refused.value.__cause__)


def test_a_name_from_outside_is_cut_so_that_a_problem_stays_one_line() -> None:
    with pytest.raises(InvalidBodyError) as refused:
        validate(Noted, {"notes": {"k" * 500_000: "no number"}}, what="outer")
    assert len(str(refused.value)) < 300


def test_a_type_from_outside_is_not_quoted() -> None:
    with pytest.raises(InvalidBodyError) as refused:
        validate(Chosen, {"one": {"type": "secret"}}, what="outer")
    assert refused.value.problems == ("one: unknown type: expected one of 'left', 'right'",)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param(UUID_PATTERN, "a lower-case uuid with dashes", id="a uuid"),
        pytest.param(ACTION_PATTERN, "an action's name", id="an action"),
        pytest.param(STUB_PATTERN, "<service>.<stubref>", id="a stub"),
        pytest.param(NUMBER_PATTERN, "a phone number", id="a phone number"),
    ],
)
def test_a_broken_pattern_is_told_in_words(pattern: str, expected: str) -> None:
    class Named(Wire):
        it: Annotated[str, StringConstraints(pattern=pattern)]

    with pytest.raises(InvalidBodyError, match=f"^body does not validate: it: expected {expected}"):
        validate(Named, {"it": "?"}, what="body")


def test_a_body_that_is_no_object_is_told_so() -> None:
    with pytest.raises(InvalidBodyError, match="body: "):
        validate(Outer, [], what="outer")  # type: ignore[arg-type] # what a sender may still do


def test_only_the_first_problems_are_listed() -> None:
    numbers = ["x"] * (PROBLEMS_MAX + 5)
    with pytest.raises(InvalidBodyError) as refused:
        validate(Outer, {"inner": {"number": 1}, "numbers": numbers}, what="outer")
    assert len(refused.value.problems) == PROBLEMS_MAX + 1
    assert refused.value.problems[-1] == "and 5 more"


def test_absent_members_are_left_out_of_the_payload() -> None:
    assert dump(Outer(inner=Inner(number=1))) == {"inner": {"number": 1}, "numbers": []}
