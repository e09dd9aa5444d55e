"""Pure: the form of a channel, created or changed: checked whole, every mistake told at once.

Source: specs/webim.md sections 2 and 6.2.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from broker.domain.wire import dump, validate
from broker.errors import InvalidChannelError, shorten
from workers.webim.administration.fields import BLANK, DOMAIN_MISSING, FIELDS, Problem, Value
from workers.webim.channel import WEBIM, ChannelSettings

DEFAULT_NAME = "Webim (Custom Channel API)"
UNKNOWN_TOLD_MAX = 32
FIELD_CHARACTERS_MAX = 80
TYPE = "type"
ACCESS_TOKEN = "access_token"
_TOGETHER = (
    ("email", "password", "required_with_password", "required_with_email"),
    (
        "inbound_basic_user",
        "inbound_basic_password",
        "required_with_inbound_basic_password",
        "required_with_inbound_basic_user",
    ),
)
"""Both or neither, and the code of whichever is missing."""


def read_new(form: Mapping[str, object], *, names: Collection[str]) -> ChannelSettings:
    """The settings of a channel to be; ``names`` are those of the org's other channels.

    Raises:
        InvalidChannelError: every mistake in the form.
    """
    reading = _Reading(form, {})
    if not _is_empty(form.get(ACCESS_TOKEN)):
        reading.tell(ACCESS_TOKEN, Problem("must_be_empty", "leave it empty: it is generated when the channel is made"))
    if "domain" not in form:
        reading.tell("domain", DOMAIN_MISSING)
    return reading.settings(names, default_name=True)


def read_change(
    form: Mapping[str, object], before: ChannelSettings, *, access_token: str, names: Collection[str]
) -> ChannelSettings:
    """The settings after a change; what the form does not name stays.

    Raises:
        InvalidChannelError: every mistake in the form.
    """
    reading = _Reading(form, dump(before))
    if ACCESS_TOKEN in form and form[ACCESS_TOKEN] != access_token:
        reading.tell(ACCESS_TOKEN, Problem("read_only", "leave it out: it stays as it was made"))
    return reading.settings(names, default_name="name" in form)


class _Reading:
    """One form being read: values found so far, and mistakes."""

    def __init__(self, form: Mapping[str, object], before: Mapping[str, Value]) -> None:
        self._form = form
        self._values: dict[str, Value] = dict(before)
        self._problems: dict[str, list[tuple[str, str]]] = {}
        for field, value in form.items():
            if (reader := FIELDS.get(field)) is None:
                continue
            found = reader(value)
            if isinstance(found, Problem):
                self.tell(field, found)
            else:
                self._values[field] = found
        self._look_for_unknown()
        if form.get(TYPE, WEBIM) != WEBIM:
            self.tell(TYPE, Problem("not_allowed", f"give '{WEBIM}': no other channels are managed here"))

    def tell(self, field: str, problem: Problem) -> None:
        """Note a mistake."""
        self._problems.setdefault(field, []).append((problem.code, problem.hint))

    def settings(self, names: Collection[str], *, default_name: bool) -> ChannelSettings:
        """What was read, if nothing was wrong."""
        self._check_pairs()
        self._choose_name({name.casefold() for name in names}, default_name=default_name)
        if self._problems:
            raise InvalidChannelError(self._problems)
        given = {field: value for field, value in self._values.items() if value is not None}
        return validate(ChannelSettings, given, what="channel settings")

    def _look_for_unknown(self) -> None:
        known = (*FIELDS, ACCESS_TOKEN, TYPE)
        unknown = [field for field in self._form if field not in known]
        for field in unknown[:UNKNOWN_TOLD_MAX]:
            shown = shorten(field, FIELD_CHARACTERS_MAX)
            close = difflib.get_close_matches(shown, known, n=1)
            hint = f"leave it out, or write '{close[0]}'" if close else "leave it out: there is no such field"
            self.tell(shown, Problem("unknown_field", hint))

    def _check_pairs(self) -> None:
        for first, second, first_code, second_code in _TOGETHER:
            if self._is_set(second) and not self._is_set(first):
                self.tell(first, Problem(first_code, f"'{second}' needs it: give both, or neither"))
            if self._is_set(first) and not self._is_set(second):
                self.tell(second, Problem(second_code, f"'{first}' needs it: give both, or neither"))

    def _is_set(self, field: str) -> bool:
        """Whether it will be; a wrong value was meant to be one, so only its own mistake is told."""
        return self._values.get(field) is not None or field in self._problems

    def _choose_name(self, taken: Collection[str], *, default_name: bool) -> None:
        if "name" in self._problems:
            return
        name = str(self._values.get("name", BLANK))
        if name == BLANK and default_name:
            self._values["name"] = _free_name(taken)
        elif name.casefold() in taken:
            self.tell("name", Problem("taken", "choose another: a channel of this org has that name"))


def _free_name(taken: Collection[str]) -> str:
    """The default name, numbered from 2 where it is taken."""
    name, number = DEFAULT_NAME, 1
    while name.casefold() in taken:
        number += 1
        name = f"{DEFAULT_NAME} {number}"
    return name


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
