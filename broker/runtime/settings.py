"""Settings: plain frozen models, filled from the environment; the only reader of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from broker.errors import SettingsError, shorten

PREFIX = "HEIMDALL_"


class Settings(BaseModel):
    """What every worker reads; a worker adds its own in a subclass. Each field is described: README lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nats_url: str = Field("nats://127.0.0.1:4222", description="Address of the NATS server.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    health_port: int = Field(0, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics; 0 serves none.")
    health_host: str = Field("127.0.0.1", description="Address that port listens on; 0.0.0.0 in a container.")
    partitions: int = Field(
        16, ge=1, le=64, description="Partitions of the streams; fixed once the streams exist, the same everywhere."
    )
    log_bytes_max: int = Field(
        0,
        ge=0,
        description="Bytes that the log may take, the same everywhere; above, publishers are refused. 0: any.",
    )
    lease_s: int = Field(
        2, ge=1, le=60, description="Whole seconds after which the partitions of a silent process go to others."
    )
    replicas: int = Field(1, ge=1, le=5, description="Copies of each stream: 1 on one server, 3 on a cluster.")


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the README's table; ``default`` None: it must be set."""

    name: str
    default: str | None
    description: str


def load(model: type[S], prefix: str = PREFIX, worker: str | None = None) -> S:
    """Read the environment.

    A field of the subclass alone is ``HEIMDALL_<WORKER>_<FIELD>``; a shared one is ``HEIMDALL_<FIELD>``, and the
    form with the worker's name sets it for this worker alone. An empty variable counts as not set.

    Raises:
        SettingsError: every problem at once, each by the name of its variable.
    """
    return read(model, os.environ, prefix=prefix, worker=worker)


def read(model: type[S], environment: Mapping[str, str], *, prefix: str = PREFIX, worker: str | None = None) -> S:
    """As load(), from any mapping."""
    own = f"{prefix}{worker.upper()}_" if worker else prefix
    found: dict[str, tuple[str, str]] = {}
    for field in model.model_fields:
        for variable in _names(field, prefix, own):
            if value := environment.get(variable, ""):
                found[field] = variable, value
    problems = [
        f"{variable} is no setting of worker {worker}"
        for variable in sorted(environment)
        if worker and variable.startswith(own) and variable not in {own + field.upper() for field in model.model_fields}
    ]
    try:
        settings = model.model_validate({field: value for field, (_, value) in found.items()})
    except ValidationError as error:
        problems += [_problem(model, dict(one), found, prefix, own) for one in error.errors(include_url=False)]
        raise SettingsError(tuple(problems)) from None  # the cause would quote secrets
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with changes, for a worker started from here."""
    return {**os.environ, **changes}


def variables(model: type[Settings], prefix: str = PREFIX, worker: str | None = None) -> list[Variable]:
    """What may be set, in the order of the fields."""
    own = f"{prefix}{worker.upper()}_" if worker else prefix
    return [
        Variable(_names(name, prefix, own)[0], _default(field.default), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _names(field: str, prefix: str, own: str) -> tuple[str, ...]:
    """The variables that set a field, the one that wins last."""
    if field in Settings.model_fields and own != prefix:
        return prefix + field.upper(), own + field.upper()
    return (own + field.upper(),)


def _default(value: Any) -> str | None:
    if value is PydanticUndefined:
        return None
    return "" if value is None else str(value)


def _problem(
    model: type[Settings], error: Mapping[str, Any], found: Mapping[str, tuple[str, str]], prefix: str, own: str
) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    if field not in model.model_fields:
        return str(error["msg"])
    if field not in found:
        return f"{_names(field, prefix, own)[0]} must be set: {model.model_fields[field].description}"
    variable, value = found[field]
    shown = "" if model.model_fields[field].annotation is SecretStr else f"={shorten(value)!r}"
    return f"{variable}{shown}: {error['msg']}"
