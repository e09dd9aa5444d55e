"""One look at an operator's dialog: what is new is told, and its end where there is one; any process may do the next.

Source: specs/webim.md sections 3.3 and 5.3.
"""

from __future__ import annotations

import time

import structlog
from prometheus_client import Counter

from broker.errors import ChannelAuthFailedError, ChannelError, ConflictError
from workers.webim.channel import Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import Chat
from workers.webim.chat.endings import Endings
from workers.webim.chat.store import ChatStore
from workers.webim.chat.transfer_notes import TransferNote, TransferNotes
from workers.webim.collecting.dialog import Dialog
from workers.webim.collecting.polling import claimed, failed, is_given_up, is_over, is_too_old, standing_of, waiting
from workers.webim.collecting.stored_data import StoredData
from workers.webim.collecting.telling import Collecting

AUTH_FAILED = "auth_failed"
UNKNOWN_WAIT_S = 600

POLLS = Counter("heimdall_webim_polls", "Looks at what Webim keeps of operators' dialogs, by outcome.", ["outcome"])

log = structlog.get_logger()


class Looking:
    """Works on one note at a time; whoever wrote it first has it."""

    def __init__(
        self,
        channels: Channels,
        chats: ChatStore,
        notes: TransferNotes,
        endings: Endings,
        stored_data: StoredData,
        collecting: Collecting,
    ) -> None:
        self._channels = channels
        self._chats = chats
        self._notes = notes
        self._endings = endings
        self._stored_data = stored_data
        self._collecting = collecting

    async def poll(self, channel: Channel | None, note: TransferNote, revision: int, *, wait_s: int) -> None:
        """Ask for the one dialog, unless somebody else does; ``wait_s`` until the next look.

        Raises:
            ChannelAuthFailedError: the login is refused; the alarm is set.
            BackboneError: the bus failed; somebody looks again when the claim is over.
        """
        try:
            revision = await self._notes.write(claimed(note, now_ms=_now_ms()), revision=revision)
        except ConflictError:
            return
        if channel is None:  # removed, or not known here yet: the bucket forgets the note by itself
            await self._keep(waiting(note, wait_s=UNKNOWN_WAIT_S, now_ms=_now_ms()), revision)
            return
        kept = await self._chats.load(note.chat.channel_id, note.chat.conversation_id)
        standing = standing_of(note, kept.chat)
        if standing == "ours":
            await self._look(channel, note, revision, wait_s=wait_s)
        elif standing == "given_back":
            await self._look_back(channel, note, kept.chat)
        elif standing == "over" or is_too_old(note, now_ms=_now_ms()):
            await self._notes.drop(note.chat)
        # Else whoever gives the chat away is about to save that, or begins anew: until the claim is over.

    async def _look(self, channel: Channel, note: TransferNote, revision: int, *, wait_s: int) -> None:
        if not channel.collects:
            await self._go_without(channel, note, revision)
            return
        try:
            dialog = await self._stored_data.chat(channel, note.chat.chat_id)
        except ChannelError as error:
            await self._failed(channel, note, revision, error)
            return
        await self.take(channel, note, revision, dialog, wait_s=wait_s)

    async def take(
        self, channel: Channel, note: TransferNote, revision: int, dialog: Dialog, *, wait_s: int | None = None
    ) -> None:
        """Tell what is new in the dialog, then its end or when to look again; ``wait_s`` None: as it was to be."""
        after = await self._collecting.collect(channel, note, dialog)
        POLLS.labels("unchanged" if after.mark == note.mark else "changed").inc()
        if is_over(after, dialog, now_ms=_now_ms()):
            await self._endings.finish(channel, note.chat)
            log.info("dialog_finished", channel_id=channel.id, session_id=note.chat.session[:8])
            return
        if wait_s is not None:
            after = waiting(after, wait_s=wait_s, now_ms=_now_ms())
        await self._keep(after, revision)

    async def has_chat(self, note: TransferNote) -> bool:
        """Whether the operator still has the chat of that very session."""
        kept = await self._chats.load(note.chat.channel_id, note.chat.conversation_id)
        return standing_of(note, kept.chat) == "ours"

    async def _look_back(self, channel: Channel, note: TransferNote, now: Chat | None) -> None:
        """The bot has the chat again, in another session: what was said before that belongs to this one."""
        if channel.collects and now is not None:
            try:
                dialog = await self._stored_data.chat(channel, note.chat.chat_id)
                await self._collecting.collect(channel, note, dialog, before_ms=now.opened_at_ms)
            except ChannelError as error:
                POLLS.labels("failed").inc()
                log.warning("dialog_not_collected", channel_id=channel.id, error_code=error.code, error=str(error))
                if error.retryable and not is_too_old(note, now_ms=_now_ms()):
                    return  # again when the claim is over
        await self._notes.drop(note.chat)

    async def _go_without(self, channel: Channel, note: TransferNote, revision: int) -> None:
        """Without a login that is taken an end that Webim told is passed on; the rest waits for another login."""
        now_ms = _now_ms()
        if note.closing_since_ms is not None or is_too_old(note, now_ms=now_ms):
            await self._endings.finish(channel, note.chat)
        elif channel.settings.email is None:
            await self._notes.drop(note.chat)
        else:
            await self._keep(waiting(note, wait_s=channel.settings.log_poll_interval_s, now_ms=now_ms), revision)

    async def _failed(self, channel: Channel, note: TransferNote, revision: int, error: ChannelError) -> None:
        refused = isinstance(error, ChannelAuthFailedError)
        POLLS.labels(AUTH_FAILED if refused else "failed").inc()
        log.warning("dialog_not_collected", channel_id=channel.id, error_code=error.code, error=str(error))
        if refused:
            await self._channels.set_log_alarm(channel, AUTH_FAILED)
            await self._go_without(channel, note, revision)
            raise error
        now_ms = _now_ms()
        if is_given_up(note, now_ms=now_ms):
            await self._endings.finish(channel, note.chat)
            return
        await self._keep(failed(note, interval_s=channel.settings.log_poll_interval_s, now_ms=now_ms), revision)

    async def _keep(self, note: TransferNote, revision: int) -> None:
        """Save it; whoever wrote in between has more to tell, and somebody looks again soon."""
        try:
            await self._notes.write(note, revision=revision)
        except ConflictError:
            log.debug("note_changed_elsewhere", session_id=note.chat.session[:8])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
