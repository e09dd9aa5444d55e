"""Tells giosg who the visitor is: the name that agents see, and variables (C4). It fails silently.

Source: specs/giosg.md sections 3.5 and 7.7.
"""

from __future__ import annotations

import contextlib

import structlog

from broker.domain.events import Label
from broker.errors import ChannelError, ConflictError
from workers.giosg.cases.identity import Identity
from workers.giosg.runs.content import attributes_in, name_in, rendered_name
from workers.giosg.runs.history import History, payloads_of
from workers.giosg.runs.talk import Talk

USERNAME: Label = "username"
"""giosg shows its value in place of "Visitor"."""
VARIABLES_MAX = 200

log = structlog.get_logger()


class Introducing:
    """One per process."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def introduce(self, talk: Talk) -> None:
        """All that is known of the visitor, for a new chat."""
        channel = talk.run.channel
        visits = await self._history.visits(talk.run.conversation)
        payloads = [talk.run.payload, *payloads_of(visits)]
        name = next(filter(None, (name_in(channel, payload) for payload in payloads)), "")
        known: dict[str, str] = {}
        for visited in visits:
            if visited.is_data:
                known |= attributes_in(channel, visited.visit.payload)
        await self._send(talk, _without_blanks(talk, name) | known, is_new=True)

    async def update(self, talk: Talk) -> None:
        """What has changed of a visitor whom giosg knows; whom it does not is introduced when a chat is opened."""
        if not talk.case.is_open:
            return
        channel = talk.run.channel
        wanted = attributes_in(channel, talk.run.payload)
        if name := rendered_name(talk.connection.visitor_name_template, name_in(channel, talk.run.payload)):
            wanted = {USERNAME: name, **wanted}
        await self._send(talk, wanted, is_new=False)

    async def _send(self, talk: Talk, wanted: dict[str, str], *, is_new: bool) -> None:
        try:
            identity = await talk.calls.identity()
            sent = await self._changed(talk, identity, wanted, is_new=is_new)
        except ChannelError as error:
            log.warning("giosg_variables_not_sent", session_id=talk.log_id, error_code=error.code)
            return
        if sent:
            await self._keep(talk, sent)

    async def _changed(
        self, talk: Talk, identity: Identity, wanted: dict[str, str], *, is_new: bool
    ) -> dict[Label, str]:
        sent: dict[Label, str] = {}
        for key, value in list(wanted.items())[:VARIABLES_MAX]:
            place = f"{talk.connection.room_id}/{key}"[:128]
            if is_new or identity.variables.get(place) != value:
                await talk.api.set_variable(identity.visitor_id, key, value)
                sent[place] = value
        return sent

    async def _keep(self, talk: Talk, sent: dict[Label, str]) -> None:
        """That it is sent once more is all that a lost note does."""
        organization, key = talk.connection.organization_id, talk.case.visitor_key
        with contextlib.suppress(ConflictError):
            identity, revision = await talk.store.identity(organization, key)
            if identity is not None and identity.variables | sent != identity.variables:
                after = identity.model_copy(update={"variables": identity.variables | sent})
                await talk.store.save_identity(organization, key, after, revision=revision)


def _without_blanks(talk: Talk, name: str) -> dict[str, str]:
    given = {USERNAME: rendered_name(talk.connection.visitor_name_template, name), **talk.connection.visitor_variables}
    return {key: value for key, value in given.items() if value.strip()}
