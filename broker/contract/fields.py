"""Field tables from the models: path, type, whether it is required, default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from broker.domain.events import UUID, Action, StubName
from broker.domain.phones import PhoneNumber
from broker.domain.wire import Wire

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema as pydantic writes it."""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One line of a field table; ``default`` is JSON, empty where there is none."""

    path: str
    type: str
    required: bool
    default: str


def _pattern_of(annotated: Any) -> str:
    pattern: str = annotated.__metadata__[0].pattern
    return pattern


_TYPE_BY_PATTERN = {
    _pattern_of(UUID): "uuid",
    _pattern_of(Action): "action name",
    _pattern_of(StubName): "stub",
    _pattern_of(PhoneNumber): "phone number",
}


def field_rows(model: type[Wire]) -> tuple[FieldRow, ...]:
    """The model's fields in order, objects before their members; variants of one place are joined by *or*."""
    schema = model.model_json_schema(by_alias=True)
    merged: dict[str, FieldRow] = {}
    for row in _members(schema, schema.get("$defs", {}), ""):
        before = merged.get(row.path)
        if before is None:
            merged[row.path] = row
        elif row.type not in before.type.split(" or "):
            merged[row.path] = FieldRow(row.path, f"{before.type} or {row.type}", before.required, before.default)
    return tuple(merged.values())


def _members(schema: Schema, defs: Schema, path: str) -> Iterator[FieldRow]:
    """The members of an object, each followed by its own."""
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        variants = _variants(member, defs)
        kind = " or ".join(dict.fromkeys(_type(variant, defs) for variant in variants))
        default = member.get("default")
        shown = "" if default in (None, {}, []) else json.dumps(default).removesuffix(".0")
        yield FieldRow(place, kind, name in required, shown)
        for variant in variants:
            yield from _inside(variant, defs, place)


def _inside(variant: Schema, defs: Schema, place: str) -> Iterator[FieldRow]:
    """What lies below one variant of a member: fields, labelled objects or the items of a list."""
    yield from _members(variant, defs, place)
    labelled = variant.get("additionalProperties")
    if isinstance(labelled, dict):
        yield from _members(_resolved(labelled, defs), defs, f"{place}.<label>")
    if "items" in variant:
        yield from _members(_resolved(variant["items"], defs), defs, f"{place}[]")


def _variants(schema: Schema, defs: Schema) -> list[Schema]:
    """The forms that a member may take; absence is no form."""
    schema = _resolved(schema, defs)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices is None:
        return [schema]
    return [variant for choice in choices for variant in _variants(choice, defs) if variant.get("type") != "null"]


def _resolved(schema: Schema, defs: Schema) -> Schema:
    reference = schema.get("$ref")
    found: Schema = schema if reference is None else defs[reference.rpartition("/")[2]]
    return found


def _type(schema: Schema, defs: Schema) -> str:
    match schema:
        case {"const": _} | {"enum": _}:
            return " or ".join(json.dumps(value) for value in schema.get("enum", (schema.get("const"),)))
        case {"type": "string"}:
            return _text_type(schema)
        case {"type": "array", "items": items}:
            return f"list of {_type(_resolved(items, defs), defs)}"
        case {"type": "number" | "integer"}:
            return _number_type(schema)
        case {"type": str(kind)}:
            return kind
        case _:
            return "anything"


def _text_type(schema: Schema) -> str:
    if schema.get("format") == "binary":
        return "bytes"
    if schema.get("pattern") in _TYPE_BY_PATTERN:
        return _TYPE_BY_PATTERN[schema["pattern"]]
    longest = schema.get("maxLength")
    return "text" if longest is None else f"text, at most {longest:,} characters"


def _number_type(schema: Schema) -> str:
    kind = "whole number" if schema["type"] == "integer" else "number"
    bounds = [
        f"{word} {schema[key]:,}"
        for key, word in (("exclusiveMinimum", "above"), ("minimum", "at least"), ("maximum", "at most"))
        if key in schema
    ]
    return ", ".join([kind, *bounds])
