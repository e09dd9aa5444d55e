"""v1: the call itself waits for what the program answers, and everything that is said to it is its answer.

The lane that sends answers of v2 leaves alone what is said while a question is open (``Chat.question``), and everything
up to ``Chat.done``; so each notification gets its one receipt, here or there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from broker.domain.outside_json import Json
from broker.errors import BackboneError, ConflictError
from workers.webim.calls.composing import NOTHING_TO_SAY, Composed, compose
from workers.webim.calls.hearing import Heard, Hearing
from workers.webim.calls.inbound import Taken
from workers.webim.calls.judging import Call
from workers.webim.calls.metrics import V1_ANSWERS
from workers.webim.channel import Channel
from workers.webim.chat.chats import Chat
from workers.webim.chat.conversations import Conversations, ReceiptStatus
from workers.webim.chat.endings import Endings, Target
from workers.webim.chat.store import ChatStore
from workers.webim.sending.steps import Plan, plan_of

SETTLE_S = 2.0
"""The bus may take so long to note an answer; then Webim gets it all the same, and it is noted later."""
NOTED_LATER_S = 60.0
AGAIN_S = 0.5
TRIES_MAX = 8
ANSWER_CHARACTERS_MAX = 200_000
"""Of an answer that is kept for a repeated call."""
LATE = "late_reply"

log = structlog.get_logger()


class Answers:
    """Gives v1 calls their answers, and notes what was given."""

    def __init__(self, chats: ChatStore, conversations: Conversations, endings: Endings) -> None:
        self._chats = chats
        self._conversations = conversations
        self._endings = endings
        self._noting: set[asyncio.Task[None]] = set()

    async def answer(self, call: Call, taken: Taken, hearing: Hearing) -> Json:
        """The body of the answer, once there is one or the time is up."""
        chat = taken.chat
        if taken.outcome == "repeat":
            if chat.answered == taken.question and chat.answer is not None:
                return chat.answer
            if chat.question is None or chat.question.id != taken.question:
                return NOTHING_TO_SAY
        assert chat.question is not None  # noqa: S101 - a v1 call asks
        gathered = await hearing.gather(chat.question.until_ms)
        settling = _Settling(call.channel, chat, taken.question, gathered, hearing.late)
        V1_ANSWERS.labels("answered" if gathered else "timed_out").inc()
        try:
            async with asyncio.timeout(SETTLE_S):
                await self._settle(settling)
        except (BackboneError, TimeoutError) as error:
            log.warning("answer_not_noted_yet", session_id=chat.session[:8], error_type=type(error).__name__)
            self._note_later(settling)
        return settling.body

    def _note_later(self, settling: _Settling) -> None:
        async def note() -> None:
            end_s = time.monotonic() + NOTED_LATER_S
            while time.monotonic() < end_s:
                await asyncio.sleep(AGAIN_S)
                with contextlib.suppress(BackboneError):
                    await self._settle(settling)
                    return
            log.error("answer_not_noted", session_id=settling.chat.session[:8])

        task = asyncio.create_task(note())
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def aclose(self) -> None:
        """Give up what could not be noted."""
        for task in tuple(self._noting):
            task.cancel()

    async def _settle(self, settling: _Settling) -> None:
        """Receipts, then the record, then what follows: the lane sees an open question until its receipts are there."""
        channel, chat = settling.channel, settling.chat
        for heard, plan in zip(settling.gathered, settling.plans, strict=True):
            status, reason = settling.outcome_of(plan)
            await self._conversations.confirm(channel, chat, heard.asked.sequence, status, reason)
        for heard in settling.late:
            await self._conversations.confirm(channel, chat, heard.asked.sequence, "failed", LATE)
        if not await self._save(settling):
            return
        if settling.composed.unsupported is not None:
            log.warning("action_unsupported", action=settling.composed.unsupported, session_id=chat.session[:8])
        match settling.composed.follows:
            case Target() as target:
                await self._endings.transfer(channel, chat, target, owner=settling.owner)
            case "bot" | "end_session" as reason:
                await self._endings.close(channel, chat, reason)
            case None:
                pass

    async def _save(self, settling: _Settling) -> bool:
        """Note the answer; False where the chat has gone on without it.

        Where something follows, the question stays open until that is done: if this process dies in between, Webim has
        no answer, and the chat is in its queue as soon as the time is up.
        """
        chat = settling.chat
        for _ in range(TRIES_MAX):
            kept = await self._chats.load(chat.channel_id, chat.conversation_id)
            found = kept.chat
            if found is None or found.session != chat.session or found.state != "active":
                return False
            if found.answered == settling.question:
                return settling.is_same(found)
            if found.question is None or found.question.id != settling.question:
                return False
            changes = {
                "question": None if settling.composed.follows is None else found.question,
                "answered": settling.question,
                "answer": settling.kept_body,
                "done": max(found.done, settling.last_sequence),
            }
            idle_s = settling.channel.settings.session_idle_ttl_s
            try:
                await self._chats.save(found.model_copy(update=changes), revision=kept.revision, idle_s=idle_s)
            except ConflictError:
                continue
            return True
        raise ConflictError(chat.conversation_id)


class _Settling:
    """An answer that is given, and is now to be noted."""

    def __init__(
        self, channel: Channel, chat: Chat, question: str, gathered: Sequence[Heard], late: Sequence[Heard]
    ) -> None:
        self.channel = channel
        self.chat = chat
        self.question = question
        self.gathered = gathered
        self.late = late
        self.plans = [plan_of(chat, channel, heard.asked) for heard in gathered]
        quiet = chat.quiet_question == question
        self.composed: Composed = compose(self.plans, v1_actions=channel.settings.v1_actions, quiet=quiet)
        self.body = self.composed.body

    def is_same(self, found: Chat) -> bool:
        """Whether the answer that was noted already is this one; if not, it is what the call is answered with.

        It was noted by this process before the bus went away, or by another one that got the same call.
        """
        if found.answer == self.kept_body:
            return True
        self.body = found.answer or self.body
        return False

    @property
    def last_sequence(self) -> int:
        """The last notification that was seen to."""
        return max((heard.asked.sequence for heard in (*self.gathered, *self.late)), default=0)

    @property
    def kept_body(self) -> Json | None:
        """The answer as it is kept for a repeated call; one that is very long is not."""
        return self.composed.body if len(str(self.composed.body)) <= ANSWER_CHARACTERS_MAX else None

    @property
    def owner(self) -> str | None:
        """Who gave the chat away."""
        for heard, plan in zip(self.gathered, self.plans, strict=True):
            if plan.action is not None:
                return heard.stub
        return None

    def outcome_of(self, plan: Plan) -> tuple[ReceiptStatus, str | None]:
        """What the receipt says."""
        if plan.skipped is not None:
            return "skipped", plan.skipped
        is_shown = "messages" in self.composed.body or "actions" in self.composed.body or plan.action is not None
        return ("delivered", None) if is_shown else ("skipped", "given_to_queue")
