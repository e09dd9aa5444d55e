"""What programs say to visitors, on its way to Webim: read, judge, carry out, tell what became of it.

A lane per session, so what is said in one chat keeps its order and waits for nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

import structlog

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain import headers as names
from broker.domain.dialogs import response_in
from broker.domain.events import read_notification, sender_in
from broker.domain.grammar import parse_conversation
from broker.domain.ids import Stub
from broker.domain.subjects import Conversation, Kind, partition_of
from broker.errors import (
    BackboneError,
    ChannelAuthFailedError,
    ChannelError,
    ChannelGaveUpError,
    ChatGoneError,
    ChatNotOwnedError,
    GrammarError,
    InvalidBodyError,
)
from broker.runtime.backbone import Backbone
from broker.runtime.deadletters import Original
from broker.runtime.loop import Work, token_after
from broker.transport.pull import Delivery
from broker.transport.reader import read_range
from broker.transport.topology import CONVERSATIONS, adapter_consumers
from workers.webim.channel import WEBIM, Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import Chat, Sending
from workers.webim.chat.conversations import Conversations, ReceiptStatus
from workers.webim.chat.endings import QUEUE, Endings, Target
from workers.webim.chat.link_facts import LinkFacts
from workers.webim.chat.store import ChatStore, Kept
from workers.webim.sending.messages import Action
from workers.webim.sending.metrics import DROPPED
from workers.webim.sending.progress import Progress
from workers.webim.sending.sender import Sender, Sent
from workers.webim.sending.steps import (
    ACTED,
    ENDING,
    LATE,
    AnswersCall,
    Asked,
    Done,
    Plan,
    Refused,
    Unfinished,
    is_quiet,
    judge,
)

LOOK_AGAIN_S = 0.25
"""While a v1 call is open, whoever holds it answers; afterwards it is known who did not."""
KINDS = (f".{Kind.NOTIFICATION}", f".{Kind.EXPIRED}", f".{Kind.LINKED}")

log = structlog.get_logger()


class Outbound:
    """Handles one event at a time of each session; may be called again for the same one."""

    def __init__(  # noqa: PLR0913 - the worker's parts
        self,
        backbone: Backbone,
        channels: Channels,
        chats: ChatStore,
        conversations: Conversations,
        endings: Endings,
        sender: Sender,
        *,
        partitions: int,
    ) -> None:
        self._connection = backbone.connection
        self._dead_letters = backbone.dead_letters
        self._partitions = partitions
        self._channels = channels
        self._chats = chats
        self._conversations = conversations
        self._endings = endings
        self._link_facts = LinkFacts(chats, endings)
        self._sender = sender

    async def __call__(self, original: Original) -> None:
        """Carry out a notification, or see what a link fact means for its chat.

        Raises:
            ChannelAwayError: Webim is away; the same event is to be handled again.
            BackboneError: it cannot be taken, or not now.
        """
        subject = parse_conversation(original.subject)
        conversation = subject.conversation
        assert conversation is not None  # noqa: S101 - only initialize has none, and is skipped
        channel = self._channels.by_path(subject.path)
        if channel is None:  # one that another process has just heard of
            await asyncio.sleep(LOOK_AGAIN_S)
            channel = self._channels.by_path(subject.path)
        if subject.kind is Kind.EXPIRED:
            await self._link_facts.expired(channel, conversation)
        elif subject.kind is Kind.LINKED:
            await self._link_facts.linked(channel, conversation, original.data)
        elif channel is None:
            await self._confirm(conversation, original, "failed", "unknown_channel")
        else:
            await self._notify(channel, conversation, original)

    async def _notify(self, channel: Channel, conversation: Conversation, original: Original) -> None:
        try:
            asked = _read(conversation, original)
        except BackboneError as error:
            await self._confirm(conversation, original, "failed", error.code)
            raise
        while True:
            kept = await self._load(conversation, asked)
            match judge(kept.chat, channel, asked, now_ms=_now_ms()):
                case AnswersCall():
                    await asyncio.sleep(LOOK_AGAIN_S)
                case Refused(code):
                    await self._confirm(conversation, original, "failed", code)
                    await self._settle(channel, kept.chat if code == LATE else None)
                    return
                case Done():
                    await self._see_to_unheard(conversation, kept.chat, asked)
                    return
                case Unfinished() as found:
                    assert kept.chat is not None  # noqa: S101 - judge() refuses what has none
                    sent = Sent(found.failed, found.acted)
                    await self._finish(_Work(channel, conversation, original), kept.chat, found.plan, sent)
                    return
                case Plan() as plan:
                    await self._carry_out(_Work(channel, conversation, original), kept, plan)
                    return

    async def _load(self, conversation: Conversation, asked: Asked) -> Kept:
        """The chat; where it matters whether anything was said in it before, the log is asked.

        A message is in the log a moment before the record tells of it, and what names no question may answer it.
        """
        kept = await self._chats.load_by_session(conversation.session)
        names_question = asked.response is not None and asked.response.question_id is not None
        if kept.chat is None or names_question or not is_quiet(kept.chat, None):
            return kept
        number = partition_of((conversation.session,), self._partitions)
        kinds = (Kind.FIRSTMESSAGE, Kind.MESSAGE)
        patterns = tuple(f"p.{number}.{conversation.subject(kind)}" for kind in kinds)
        found = await read_range(self._connection, CONVERSATIONS, patterns, limit=1)
        has_spoken = bool(found) and found[0].sequence < asked.sequence
        return Kept(kept.chat.model_copy(update={"more": True}), kept.revision) if has_spoken else kept

    async def _see_to_unheard(self, conversation: Conversation, chat: Chat | None, asked: Asked) -> None:
        """What is said between two v1 calls is heard by neither, and may come here when the second is answered.

        What a call did hear has its receipt, stored before ``done``, so that this one is dropped as its duplicate.
        """
        if chat is not None and chat.dialect == "1":
            await self._conversations.confirm_in(conversation, asked.sequence, "failed", LATE)

    async def _settle(self, channel: Channel, chat: Chat | None) -> None:
        """The process that held the late answer's call may be gone: then nobody has told that Webim took the chat."""
        if chat is not None:
            await self._endings.settle(channel, chat)

    async def _carry_out(self, work: _Work, kept: Kept, plan: Plan) -> None:
        for dropped in plan.dropped if work.original.attempts == 1 else ():
            DROPPED.labels(dropped.code).inc()
            log.warning("reply_dropped", channel_id=work.channel.id, error_code=dropped.code, what=dropped.what)
        if plan.skipped is not None:
            await self._confirm(work.conversation, work.original, "skipped", plan.skipped)
            return
        progress = Progress(self._chats, work.channel, kept, work.original.sequence)
        try:
            sent = await self._sender.send(work.channel, progress, plan, waited=work.original.attempts > 1)
            if sent.acted or plan.ends:
                step = len(plan.steps) + (ACTED if sent.acted else ENDING)
                sending = Sending(sequence=progress.sequence, step=step, failed=sent.failed)
                await progress.change(sending=sending, done=progress.sequence)
        except (ChatGoneError, ChatNotOwnedError, ChannelAuthFailedError, ChannelGaveUpError) as error:
            await self._give_up(work, progress, plan, error)
            return
        await self._finish(work, progress.chat, plan, sent)
        if not (sent.acted or plan.ends):
            with contextlib.suppress(ChatNotOwnedError):
                await progress.change(sending=None, done=progress.sequence)

    async def _finish(self, work: _Work, chat: Chat, plan: Plan, sent: Sent) -> None:
        """The receipt, then what follows for the session; the record comes last."""
        if sent.failed is not None:
            await self._confirm(work.conversation, work.original, "failed", sent.failed)
        elif plan.withheld:
            await self._confirm(work.conversation, work.original, "skipped", "init_reply")
        else:
            await self._confirm(work.conversation, work.original, "delivered")
        if sent.acted and plan.action is not None:
            await self._hand_over(work, chat, plan.action)
        elif plan.ends:
            await self._endings.close(work.channel, chat, "end_session")

    async def _hand_over(self, work: _Work, chat: Chat, action: Action) -> None:
        match action.type:
            case "close_chat":
                await self._endings.close(work.channel, chat, "bot")
                return
            case "redirect_to_operator":
                target = Target("operator", action.operator_id)
            case "redirect_to_department":
                target = Target("department", action.department_key)
            case "redirect_to_queue":
                target = QUEUE
        await self._endings.transfer(work.channel, chat, target, owner=_sender(work.original))

    async def _give_up(self, work: _Work, progress: Progress, plan: Plan, error: ChannelError) -> None:
        """Nothing more of it is tried; what somebody can mend is kept as a dead letter."""
        if isinstance(error, ChannelAuthFailedError):
            await self._sender.raise_alarm(work.channel)
        if isinstance(error, ChannelAuthFailedError | ChannelGaveUpError):
            if progress.begun is not None and progress.begun.step < len(plan.steps):
                await self._sender.tell_failed(work.channel, progress, plan.steps[progress.begun.step], error)
            await self._dead_letters.keep_failed(work.original, error)
        await self._confirm(work.conversation, work.original, "failed", error.code)
        with contextlib.suppress(ChatNotOwnedError):
            await progress.change(sending=None, done=progress.sequence)
        if isinstance(error, ChatGoneError):
            await self._endings.close(work.channel, progress.chat, "visitor_or_system")

    async def _confirm(
        self, conversation: Conversation, original: Original, status: ReceiptStatus, reason: str | None = None
    ) -> None:
        await self._conversations.confirm_in(conversation, original.sequence, status, reason)
        log.info(
            "answer_settled",
            session_id=conversation.log_id,
            outcome=status,
            reason=reason,
            attempt=original.attempts,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    channel: Channel
    conversation: Conversation
    original: Original


def outbound_work(handle: Outbound, *, partitions: int, lease_s: int) -> Work:
    """What the worker consumes to answer visitors; the consumers must be there."""
    consumers = tuple(spec.name for spec in adapter_consumers(WEBIM, partitions))
    lane_of = token_after("sessionuuid")
    return Work(CONVERSATIONS, consumers, handle, lane_of, skip=_is_not_ours, lease_s=lease_s, parks=True)


def _is_not_ours(delivery: Delivery) -> bool:
    return not delivery.subject.endswith(KINDS)


def _read(conversation: Conversation, original: Original) -> Asked:
    """The notification's parts.

    Raises:
        BackboneError: it is none, or speaks of another session than its subject.
    """
    body = decode(original.data, depth_max=EVENT_DEPTH_MAX)
    content = read_notification(WEBIM, body)
    if content.sessionuuid != conversation.session:
        raise InvalidBodyError(f"{WEBIM} notification", ("sessionuuid: the subject names another session",))
    return Asked(conversation.session, original.sequence, content, response_in(WEBIM, body["platforms"][WEBIM]))


def _sender(original: Original) -> str | None:
    """The stub that says it, None if it does not tell in a form that we know."""
    said = original.headers.get(names.STUB)
    if said is None:
        with contextlib.suppress(BackboneError):
            said = sender_in(decode(original.data, depth_max=EVENT_DEPTH_MAX))
    try:
        return None if said is None else str(Stub.parse(said))
    except GrammarError:
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
