"""Read, decide, act: what happens to one event of the log."""

from __future__ import annotations

import structlog

from broker.domain.incoming import Incoming
from broker.domain.registry import Occasion
from broker.domain.session import DeliverToTaker, Limits, apply
from broker.domain.subjects import Kind
from broker.errors import BusError, ConflictError
from broker.runtime.deadletters import Original
from workers.linker.directory import Directory
from workers.linker.effects import Effects
from workers.linker.reading import read
from workers.linker.states import States
from workers.linker.stubs import StubNotes

CONFLICTS_MAX = 20
"""Somebody else writing the same session this often within one event is a fault, not a race."""

log = structlog.get_logger()


class LinkAndRoute:
    """Folds one event into its session's state and carries out the effects.

    Effects first, state second, acknowledgement last: a crash in between repeats the same decision, and the message
    ids of the effects make the repetition invisible.
    """

    def __init__(
        self, directory: Directory, states: States, stubs: StubNotes, effects: Effects, limits: Limits
    ) -> None:
        self._directory = directory
        self._states = states
        self._stubs = stubs
        self._effects = effects
        self._limits = limits

    async def __call__(self, original: Original) -> None:
        """Handle one event.

        Raises:
            BackboneError: the event cannot be taken (``retryable`` false), or not now.
        """
        incoming = read(original.subject, original.data, original.headers)
        await self._directory.sessions.admit(incoming, at_ms=original.stored_at_ms)
        step = self._announce if incoming.subject.kind is Kind.INITIALIZE else self._fold
        for _ in range(CONFLICTS_MAX):
            try:
                await step(incoming, original)
            except ConflictError:
                log.info("state_conflicted", session_id=incoming.conversation.log_id)
            except BusError:
                self._states.forget(incoming.conversation)
                raise
            else:
                return
        raise ConflictError(f"state of session {incoming.conversation.log_id}")

    async def _announce(self, incoming: Incoming, original: Original) -> None:
        """A session began: it has no state yet, so there is nothing to fold; whoever registered hears of it."""
        conversation = incoming.conversation
        takers = self._directory.takers(conversation, Kind.INITIALIZE, _occasion(incoming, original))
        effects = [DeliverToTaker(taker, Kind.INITIALIZE) for taker in takers]
        await self._effects.carry_out(effects, conversation, original, incoming.visit)

    async def _fold(self, incoming: Incoming, original: Original) -> None:
        conversation = incoming.conversation
        state, revision = await self._states.load(conversation)
        profile = self._directory.profile(conversation.path)
        event = incoming.event(
            None if profile is None else profile.fallback(incoming.thread.route),
            lambda kind: self._directory.takers(conversation, kind, _occasion(incoming, original)),
        )
        if original.sequence > state.last_sequence:
            event = await self._stubs.prepare(event, state, conversation)
        new, effects = apply(state, event, sequence=original.sequence, at_ms=original.stored_at_ms, limits=self._limits)
        if new is state:
            return
        await self._effects.carry_out(effects, conversation, original, incoming.visit)
        await self._stubs.tidy(event, state, new, conversation)
        await self._states.save(conversation, new, revision=revision, at_ms=original.stored_at_ms)


def _occasion(incoming: Incoming, original: Original) -> Occasion:
    return Occasion(original.sequence, original.stored_at_ms, incoming.emitted)
