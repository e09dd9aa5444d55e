"""What every body and record has in common: one pydantic base, and one way to say what does not validate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from broker.errors import InvalidBodyError, shorten

Body: TypeAlias = dict[str, Any]
"""A decoded body before its model has looked at it."""

PROBLEMS_MAX = 10
PLACE_CHARACTERS_MAX = 120
"""A member's name may itself come from outside: a body may hold one as long as the bus carries."""

UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
ACTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
STUB_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,191}$"
NUMBER_PATTERN = r"^[1-9][0-9]{2,14}$"
EXPECTED = {
    UUID_PATTERN: "a lower-case uuid with dashes",
    ACTION_PATTERN: "an action's name: letters, digits and '_', no digit first",
    STUB_PATTERN: "<service>.<stubref>, such as 'demo.2024-11-11-ABCD'",
    NUMBER_PATTERN: "a phone number: digits with the country code, which does not begin with 0",
}
"""What a value that breaks one of these patterns should have been, for people."""

Model = TypeVar("Model", bound="Wire")


class Wire(BaseModel):
    """Base of all bodies: frozen, strict, ignores unknown fields, keeps input out of its errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


def validate(model: type[Model], body: Mapping[str, Any], *, what: str) -> Model:
    """The body as its model.

    Raises:
        InvalidBodyError: lists each field with what is wrong, never with what it held.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = [f"{_place(item['loc'])}: {_reason(item)}" for item in found]
        if len(problems) > PROBLEMS_MAX:
            problems[PROBLEMS_MAX:] = [f"and {len(problems) - PROBLEMS_MAX} more"]
        raise InvalidBodyError(what, tuple(problems)) from error


def _place(location: tuple[int | str, ...]) -> str:
    return shorten(".".join(map(str, location)), PLACE_CHARACTERS_MAX) or "body"


def _reason(problem: ErrorDetails) -> str:
    """Pydantic's words, except where these quote the body, or a pattern that has plainer ones."""
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        return f"unknown type: expected one of {context['expected_tags']}"
    if (expected := EXPECTED.get(context.get("pattern", ""))) is not None:
        return f"expected {expected}"
    return problem["msg"]


def dump(model: Wire) -> Body:
    """The model as its documented payload: documented names, absent members left out."""
    return model.model_dump(by_alias=True, exclude_none=True)
