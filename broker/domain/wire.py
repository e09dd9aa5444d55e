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
    """Pydantic's words, except where these quote the body."""
    if problem["type"] != "union_tag_invalid":
        return problem["msg"]
    return f"unknown type: expected one of {problem['ctx']['expected_tags']}"


def dump(model: Wire) -> Body:
    """The model as its documented payload: documented names, absent members left out."""
    return model.model_dump(by_alias=True, exclude_none=True)
