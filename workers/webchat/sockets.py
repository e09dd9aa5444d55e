"""The life of one socket: let in, told what was missed, then both ways until it ends."""

from __future__ import annotations

import asyncio
import time
from typing import assert_never

import structlog
from starlette.websockets import WebSocket

from broker.errors import BackboneError, ForbiddenError, InvalidBodyError, StreamFullError, UnknownSessionError
from broker.transport.reader import StoredMessage
from workers.webchat import metrics, translate
from workers.webchat.door import Chat, Door, Past, Session, SocketEnded, Visitor, welcome
from workers.webchat.logview import MESSAGE_KINDS, LogView
from workers.webchat.outbound import Outbound
from workers.webchat.wire import (
    CloseCode,
    Configure,
    Control,
    Hello,
    Message,
    Refused,
    Replayed,
    Say,
    Seen,
    Stored,
    Told,
    Typing,
    Upward,
    id_in,
    read_frame,
)

HELLO_WAIT_S = 10.0
HELLOS_MAX = 3
HELD_MAX = 1_000
"""Live events that wait while the past is being replayed."""
FULL_MESSAGE = "Nothing can be taken at the moment: keep what was not stored, and send it again after the next hello."

log = structlog.get_logger(__name__)


class VisitorSocket:
    """One browser's connection."""

    __slots__ = ("_door", "_held", "_outbound", "_pace", "_session", "_view", "_visitor", "_websocket")

    def __init__(self, door: Door, websocket: WebSocket) -> None:
        address = websocket.client.host if websocket.client else ""
        self._door = door
        self._websocket = websocket
        self._visitor = Visitor(address, websocket.headers.get("user-agent", ""))
        self._outbound = Outbound(websocket)
        self._pace = door.new_pace()
        self._held: list[StoredMessage | Message] | None = []
        self._session: Session | None = None
        self._view: LogView | None = None

    async def run(self) -> None:
        """Serve the browser until one of us leaves; whenever it is us, there is a close code."""
        await self._websocket.accept()
        try:
            with self._door.admitted(self._visitor.address):
                self._door.check_origin(self._websocket)
                session, view = await self._greet()
                while True:
                    await self._handle(await self._next_frame(), session, view)
        except SocketEnded as end:
            self._leave(end)
        except BackboneError as error:
            # Not the error's own words: a subject in them would tell the whole session uuid.
            log.warning("socket_given_up", session_id=self._log_id, error_code=error.code)
            if isinstance(error, StreamFullError):
                self._outbound.put(Refused(code=error.code, message=FULL_MESSAGE))
            self._outbound.close(CloseCode.TRY_LATER)
        finally:
            if self._session is not None:
                conversation = self._session.conversation
                if self._door.feed.detach(conversation.session, self):
                    await self._door.bus.signal_presence(conversation, is_present=False)
            await self._outbound.finish()

    def hear(self, message: StoredMessage) -> None:
        """An event of the log, in its order; while the past is being replayed, the present waits."""
        if self._held is not None:
            self._hold(message)
        else:
            self._take(message)

    def hear_sibling(self, frame: Message) -> None:
        """What the visitor said in another tab."""
        if self._held is not None:
            self._hold(frame)
        elif self._view is not None:
            self._take_sibling(frame, self._view)

    @property
    def _log_id(self) -> str | None:
        return None if self._session is None else self._session.conversation.log_id

    async def _greet(self) -> tuple[Session, LogView]:
        """From the first frame to ``replayed``; a browser whose session is refused may ask for a new one."""
        for _ in range(HELLOS_MAX):
            hello = await self._next_hello()
            chat = self._door.find_chat(hello)
            try:
                return await self._enter(hello, chat)
            except (ForbiddenError, UnknownSessionError) as error:
                log.info("session_refused", error_code=error.code)
                self._outbound.put(Refused(code=error.code, message="This conversation cannot be gone on with."))
        raise SocketEnded(CloseCode.BAD_FRAME)

    async def _enter(self, hello: Hello, chat: Chat) -> tuple[Session, LogView]:
        """Listen first, then read the past: what comes in between is held, and taken once."""
        if hello.session is None:
            session = self._door.new_session(hello, chat, self._visitor)
            view = await self._listen(session)
            past = await self._door.begin(session)
            metrics.SESSIONS.inc()
            log.info("session_begun", session_id=session.conversation.log_id)
        else:
            session = await self._door.known_session(hello.session, chat)
            view = await self._listen(session)
            past = await self._door.read_past(session, hello.session.replay_after)
        self._outbound.put(welcome(session, chat))
        await self._replay(past, view)
        return session, view

    async def _listen(self, session: Session) -> LogView:
        self._session = session
        self._view = LogView(session.conversation)
        if self._door.feed.attach(session.conversation.session, self):
            await self._door.bus.signal_presence(session.conversation, is_present=True)
        return self._view

    async def _replay(self, past: Past, view: LogView) -> None:
        for event in past.events:
            await self._outbound.make_room()
            self._take(event, is_new=event.sequence > past.after)
        view.read_to = max(view.read_to, past.after)
        self._outbound.put(Replayed(through=view.read_to, gap=past.gap))
        while self._held:
            held, self._held = self._held, []
            for item in held:
                await self._outbound.make_room()
                self._take_sibling(item, view) if isinstance(item, Message) else self._take(item)
        self._held = None

    def _hold(self, item: StoredMessage | Message) -> None:
        if self._held is None or len(self._held) >= HELD_MAX:
            self._outbound.close(CloseCode.TOO_SLOW)
        else:
            self._held.append(item)

    def _take(self, event: StoredMessage, *, is_new: bool = True) -> None:
        """Learn from one event and show it; what cannot be read is passed over, the linker dead-letters it."""
        view = self._view
        if view is None:
            return
        try:
            kind = view.learn(event)
            frame = None if kind is None else view.show(kind, event, is_new=is_new)
        except BackboneError as error:
            # Said once, when it came; a replay meets it again and again.
            report = log.warning if self._held is None else log.debug
            session = view.conversation.log_id
            report("event_skipped", session_id=session, sequence=event.sequence, error_code=error.code)
            return
        if frame is not None:
            metrics.EVENTS_SHOWN.inc()
            self._outbound.put(frame)

    def _take_sibling(self, frame: Message, view: LogView) -> None:
        view.note_stored(frame.id, frame.sequence, is_message=True)
        self._outbound.put(frame)

    async def _handle(self, frame: Upward, session: Session, view: LogView) -> None:
        match frame:
            case Say() | Configure() | Control():
                await self._tell(frame, session, view)
            case Seen():
                for sequence in view.take_confirmed(frame.sequence):
                    await self._door.bus.confirm(view.conversation, sequence)
            case Typing():
                await self._door.bus.signal_typing(view.conversation)
            case Hello():
                raise SocketEnded(CloseCode.BAD_FRAME, Refused(code="bad_frame", message="hello comes once"))
            case _:
                assert_never(frame)

    async def _tell(self, frame: Told, session: Session, view: LogView) -> None:
        """Into the log, then ``stored``: the browser keeps the frame until then. A known id is only confirmed."""
        sequence = view.stored_ids.get(frame.id)
        if sequence is None:
            conversation = view.conversation
            event = translate.to_event(frame, conversation.session, session.record, is_first=view.is_first)
            if event is None:
                self._outbound.put(Refused(code="blank", message="there is nothing in it", id=frame.id))
                return
            kind, body = event
            event_id = translate.event_id(conversation.session, frame.id)
            try:
                stored = await self._door.bus.store(conversation.subject(kind), body, event_id)
            except BackboneError as error:
                if error.retryable:
                    raise
                self._outbound.put(Refused(code=error.code, message=str(error), id=frame.id))
                return
            sequence = stored.sequence
            view.note_stored(frame.id, sequence, is_message=kind in MESSAGE_KINDS)
            metrics.EVENTS_STORED.inc()
            if isinstance(frame, Say):
                self._door.feed.tell_siblings(conversation.session, translate.echo(frame, sequence, now_ms()), of=self)
        self._outbound.put(Stored(id=frame.id, sequence=sequence))

    async def _next_hello(self) -> Hello:
        try:
            async with asyncio.timeout(HELLO_WAIT_S):
                frame = await self._next_frame()
        except TimeoutError as error:
            raise SocketEnded(CloseCode.TOO_SLOW) from error
        if not isinstance(frame, Hello):
            raise SocketEnded(CloseCode.BAD_FRAME, Refused(code="bad_frame", message="the first frame must be hello"))
        return frame

    async def _next_frame(self) -> Upward:
        """The next frame that can be read; one that cannot is refused by its id, and without one the socket ends."""
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect" or self._outbound.is_closing:
                raise SocketEnded
            if (wait_s := self._pace.wait_s(time.monotonic())) > 0:
                await asyncio.sleep(wait_s)
            text = event.get("text") or ""
            try:
                return read_frame(text)
            except InvalidBodyError as error:
                refused = Refused(code="bad_frame", message=str(error), id=id_in(text))
                if refused.id is None:
                    raise SocketEnded(CloseCode.BAD_FRAME, refused) from error
                self._outbound.put(refused)

    def _leave(self, end: SocketEnded) -> None:
        if end.refused is not None:
            self._outbound.put(end.refused)
        if end.code is not None:
            self._outbound.close(end.code)


def now_ms() -> int:
    """The worker's clock, Unix, UTC; only for what is shown in this instant, the log has the server's."""
    return time.time_ns() // 1_000_000
