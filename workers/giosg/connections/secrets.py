"""Where secrets are: never in the connections' file, but in the environment or in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

SECRET_BYTES_MAX = 16_384
HOW = 'write { env = "NAME" } for an environment variable, or { file = "/run/secrets/name" } for a file'


@dataclass(frozen=True, slots=True)
class Secrets:
    """Fetches them; ``folder`` is where relative paths begin: beside the connections' file."""

    environment: Mapping[str, str]
    folder: Path

    def get(self, given: object) -> SecretStr | str:
        """The secret that a reference leads to, or, as plain text, what is wrong with the reference."""
        if isinstance(given, str):
            return f"a secret is never written into this file: {HOW}"
        if not isinstance(given, dict) or len(given) != 1 or not all(isinstance(one, str) for one in given.values()):
            return f"expected one reference to a secret: {HOW}"
        ((kind, where),) = given.items()
        if kind == "env":
            value = self.environment.get(where, "")
            return SecretStr(value) if value.strip() else f"the environment variable {where} is not set, or is empty"
        if kind == "file":
            return _read(self.folder / where)
        return f"{kind!r} is no place for a secret: {HOW}"


def _read(path: Path) -> SecretStr | str:
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES_MAX + 1)
        value = data.decode().strip()
    except OSError as error:
        return f"the file {str(path)!r} cannot be read: {error.strerror}"
    except ValueError:  # no UTF-8, or a path that cannot be one
        return f"the file {str(path)!r} holds no text"
    if not value or len(data) > SECRET_BYTES_MAX:
        return f"the file {str(path)!r} is {'too long for a secret' if value else 'empty'}"
    return SecretStr(value)
