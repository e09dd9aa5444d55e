"""Read, decide, act: what happens to one event of the log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog

from broker.domain.incoming import Incoming
from broker.domain.registry import Occasion, Taker
from broker.domain.session import DeliverToTaker, Event, Limits, LinkSet, apply
from broker.domain.subjects import Conversation, Kind
from broker.errors import BusError, ConflictError
from broker.runtime.deadletters import Original
from workers.linker.directory import Directory
from workers.linker.effects import Decided, Effects
from workers.linker.reading import read
from workers.linker.states import States
from workers.linker.stubs import StubNotes

CONFLICTS_MAX = 20
"""Somebody else writing the same session this often within one event is a fault, not a race."""

log = structlog.get_logger()

Events = Sequence[tuple[Incoming, Original]]


class LinkAndRoute:
    """Folds events into their session's state and carries out the effects.

    Effects first, state second, acknowledgement last: a crash in between repeats the same decision, and the message
    ids of the effects make the repetition invisible. What a session's lane holds is folded at once and saved once.
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
        await self.together((original,))

    async def together(self, originals: Sequence[Original]) -> None:
        """Handle events of one lane, in their order: those of a session, or sessions that begin in a chat.

        Raises:
            BackboneError: one of them cannot be taken (``retryable`` false), or not now.
        """
        events = [(read(original.subject, original.data, original.headers), original) for original in originals]
        conversation = events[0][0].conversation
        announced = events[0][0].subject.kind is Kind.INITIALIZE
        if not announced and any(incoming.conversation != conversation for incoming, _ in events):
            for original in originals:  # one of them speaks of another chat than the session's
                await self.together((original,))
            return
        await self._admit(conversation, events)
        step = self._announce if announced else self._fold
        for _ in range(CONFLICTS_MAX):
            try:
                await step(conversation, events)
            except ConflictError:
                log.info("state_conflicted", session_id=conversation.log_id)
            except BusError:
                self._states.forget(conversation)
                raise
            else:
                return
        raise ConflictError(f"state of session {conversation.log_id}")

    async def _admit(self, conversation: Conversation, events: Events) -> None:
        """Let the events in whose session lives where they say; a saved state is a witness that spares a read."""
        known = (await self._states.load(conversation)).is_of(conversation.path)
        for incoming, original in events:
            is_known = known and incoming.conversation == conversation  # sessions that begin are several
            if incoming.visit is None or incoming.number is not None or not is_known:
                await self._directory.sessions.admit(incoming, at_ms=original.stored_at_ms)

    async def _announce(self, _: Conversation, events: Events) -> None:
        """Sessions began: they have no state yet, so there is nothing to fold; whoever registered hears of it."""
        decided: list[Decided] = []
        for incoming, original in events:
            takers = self._takers(incoming, original, Kind.INITIALIZE)
            effects = tuple(DeliverToTaker(taker, Kind.INITIALIZE) for taker in takers)
            decided.append(Decided(incoming, original, effects))
        await self._effects.carry_out(decided)

    async def _fold(self, conversation: Conversation, events: Events) -> None:
        before, revision, _ = await self._states.load(conversation)
        profile = self._directory.profile(conversation.path)
        state, decided, folded = before, list[Decided](), list[Event]()
        for incoming, original in events:
            if original.sequence <= state.last_sequence:
                continue  # applied before a crash, or by another process
            fallback = None if profile is None else profile.fallback(incoming.thread.route)
            event = incoming.event(fallback, partial(self._takers, incoming, original))
            if isinstance(event, LinkSet):
                event = await self._stubs.prepare(event, state, conversation)
            state, effects = apply(
                state, event, sequence=original.sequence, at_ms=original.stored_at_ms, limits=self._limits
            )
            folded.append(event)
            decided.append(Decided(incoming, original, effects))
        if state is before:
            return
        await self._effects.carry_out(decided)
        await self._states.save(conversation, state, revision=revision, at_ms=events[-1][1].stored_at_ms)
        # Last: who was paused must not remove the note of a link that another linker has set meanwhile.
        await self._stubs.tidy(folded, before, state, conversation)

    def _takers(self, incoming: Incoming, original: Original, kind: Kind) -> tuple[Taker, ...]:
        occasion = Occasion(original.sequence, original.stored_at_ms, incoming.emitted)
        return self._directory.takers(incoming.conversation, kind, occasion)
