"""The fold's states: kept in STUBSESSIONS by compare-and-set, remembered while their sessions are busy."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from broker.codec import decode, encode
from broker.domain.session import State
from broker.domain.stubsessions import StateRecord, session_key, state_body
from broker.domain.subjects import ChatPath, Conversation
from broker.domain.wire import validate
from broker.errors import ConflictError
from broker.transport.records import Records

STATES_REMEMBERED_MAX = 100_000
STATE_TTL_S = 8 * 86_400
"""A day more than the log keeps its messages: after that there is nothing left to apply twice."""


class Remembered(NamedTuple):
    """A state at a revision, and the channel and chat that it was saved for; None where nothing is saved yet."""

    state: State
    revision: int
    chat: tuple[str, str] | None

    def is_of(self, path: ChatPath) -> bool:
        """Whether events of the session at that path were taken before: then it is known there."""
        return self.chat == (path.channel, path.chat)


class States:
    """A bounded memory over the bucket. What is remembered may be old: then the write fails, and it is read again."""

    def __init__(self, records: Records, *, remembered_max: int = STATES_REMEMBERED_MAX) -> None:
        self._records = records
        self._remembered_max = remembered_max
        self._remembered: OrderedDict[str, Remembered] = OrderedDict()

    async def load(self, conversation: Conversation) -> Remembered:
        """The state, and the revision that the next save must name."""
        key = session_key(conversation.path.org, conversation.session)
        remembered = self._remembered.get(key)
        if remembered is not None:
            self._remembered.move_to_end(key)
            return remembered
        found = await self._records.read(key)
        if found.value is None:
            return self._remember(key, Remembered(State(), found.revision, None))
        record = validate(StateRecord, decode(found.value), what="state record")
        return self._remember(key, Remembered(record.to_state(), found.revision, (record.channel, record.chat_name)))

    async def save(self, conversation: Conversation, state: State, *, revision: int, at_ms: int) -> None:
        """Write the state if nobody else has since it was loaded.

        Raises:
            ConflictError: somebody has; load it and decide again.
        """
        key = session_key(conversation.path.org, conversation.session)
        left_ms = 0 if state.link is None else max(0, state.link.expires_at_ms - at_ms)
        data = encode(state_body(conversation.path, state))
        try:
            saved = await self._records.write(key, data, revision=revision, ttl_s=STATE_TTL_S + left_ms // 1000)
        except ConflictError:
            self._remembered.pop(key, None)
            raise
        self._remember(key, Remembered(state, saved, (conversation.path.channel, conversation.path.chat)))

    def forget(self, conversation: Conversation) -> None:
        """Read the session's state anew next time; whoever cannot tell whether a save succeeded calls this."""
        self._remembered.pop(session_key(conversation.path.org, conversation.session), None)

    def forget_all(self, _consumer: str) -> None:
        """Read every state anew: another linker may have had the sessions, and an old state decides wrongly."""
        self._remembered.clear()

    def _remember(self, key: str, remembered: Remembered) -> Remembered:
        self._remembered[key] = remembered
        if len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)
        return remembered
