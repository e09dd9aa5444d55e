"""Letting a browser in: which chat it wants, and the session that it gets or goes on with."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.websockets import WebSocket

from broker.domain.ids import chat_name, org_id, session_id
from broker.domain.profiles import Profile
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import ChatPath, Conversation
from broker.errors import GrammarError, UnknownChatError
from broker.transport.reader import StoredMessage
from workers.webchat import metrics, translate
from workers.webchat.admission import Admission, Pace, is_allowed_origin
from workers.webchat.bus import Bus, draw_session, draw_token, token_hash
from workers.webchat.feed import Feed
from workers.webchat.settings import WebchatSettings
from workers.webchat.translate import WEBCHAT
from workers.webchat.wire import CloseCode, Hello, Refused, ResumeSession, Welcome


class SocketEnded(Exception):  # noqa: N818 - no error: the way out of a socket's life
    """The browser left (no code), or we send it away, perhaps with a word."""

    def __init__(self, code: CloseCode | None = None, refused: Refused | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the door, as far as HTTP tells."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat that exists."""

    path: ChatPath
    profile: Profile


@dataclass(frozen=True, slots=True)
class Past:
    """What to show first: the log so far, from which sequence on, and whether some of it is gone."""

    events: list[StoredMessage]
    after: int
    gap: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was let in; ``token`` only when it is new."""

    conversation: Conversation
    record: SessionRecord
    token: str | None


class Door:
    """What all sockets of the process share."""

    def __init__(self, bus: Bus, feed: Feed, settings: WebchatSettings) -> None:
        self.bus = bus
        self.feed = feed
        self._frames_per_s = settings.frames_per_s
        self._frames_burst = settings.frames_burst
        self._allowed_origins = settings.origins
        self._admission = Admission(
            sockets_max=settings.sockets_max,
            per_address_max=settings.sockets_per_address_max,
            sessions_per_minute_max=settings.sessions_per_minute_max,
            clock=time.monotonic,
        )

    def new_pace(self) -> Pace:
        """How fast one socket may speak."""
        return Pace(self._frames_per_s, self._frames_burst, now_s=time.monotonic())

    @contextlib.contextmanager
    def admitted(self, address: str) -> Iterator[None]:
        """Count a socket in and out again; raises SocketEnded if there are too many already."""
        if not self._admission.enter(address):
            message = "Too many chats are open. Please try again later."
            raise SocketEnded(CloseCode.TRY_LATER, Refused(code="too_many", message=message))
        metrics.SOCKETS.inc()
        try:
            yield
        finally:
            metrics.SOCKETS.dec()
            self._admission.leave(address)

    def check_origin(self, websocket: WebSocket) -> None:
        """Raise SocketEnded for a page that may not embed our chats."""
        headers = websocket.headers
        if not is_allowed_origin(headers.get("origin"), headers.get("host", ""), self._allowed_origins):
            message = "This site may not open this chat: add its origin to HEIMDALL_WEBCHAT_ALLOWED_ORIGINS."
            raise SocketEnded(CloseCode.FORBIDDEN_ORIGIN, Refused(code="forbidden_origin", message=message))

    def find_chat(self, hello: Hello) -> Chat:
        """The chat that the browser asks for; raises SocketEnded if there is no such pair of org and name."""
        try:
            path = ChatPath(WEBCHAT, org_id(hello.orguuid), chat_name(hello.chat_name))
            profile = self.bus.profile(path.org, path.chat)
        except (GrammarError, UnknownChatError) as error:
            refused = Refused(code=error.code, message=str(error))
            raise SocketEnded(CloseCode.UNKNOWN_CHAT, refused) from error
        return Chat(path, profile)

    def new_session(self, hello: Hello, chat: Chat, visitor: Visitor) -> Session:
        """A session that nobody knows yet; raises SocketEnded if the address begins too many."""
        if not self._admission.begin_session(visitor.address):
            message = "Too many conversations were begun from this address. Please try again in a minute."
            raise SocketEnded(CloseCode.TRY_LATER, Refused(code="too_many", message=message))
        token = draw_token()
        record = SessionRecord(
            channel=WEBCHAT,
            org=chat.path.org,
            chat_name=chat.path.chat,
            created_at_ms=time.time_ns() // 1_000_000,
            token_sha256=token_hash(token),
            pass_through=hello.pass_through_data,
            profile_uuid=chat.profile.profile_uuid,
            meta_data=translate.meta_data(visitor.address, visitor.user_agent),
        )
        return Session(chat.path.conversation(draw_session()), record, token)

    async def known_session(self, wanted: ResumeSession, chat: Chat) -> Session:
        """The session that the token opens.

        Raises:
            UnknownSessionError: there is none, or none any more.
            ForbiddenError: another token, or a session of another chat.
        """
        session = session_id(wanted.sessionuuid)
        record = await self.bus.resume_session(session, wanted.token, org=chat.path.org, chat=chat.path.chat)
        return Session(chat.path.conversation(session), record, None)

    async def begin(self, session: Session) -> Past:
        """Keep and announce a new session; nothing was said in it yet."""
        stored = await self.bus.begin_session(session.record, session.conversation.session)
        return Past([], stored.sequence, gap=False)

    async def read_past(self, session: Session, replay_after: int) -> Past:
        """What the log holds of a session that goes on."""
        events, is_cut = await self.bus.read_log(session.conversation)
        is_missed = is_cut and events[0].sequence > replay_after
        gap = is_missed or (replay_after > 0 and not await self.bus.is_kept(replay_after))
        return Past(events, replay_after, gap)


def welcome(session: Session, chat: Chat) -> Welcome:
    """What the browser is told when it is in."""
    return Welcome(
        sessionuuid=session.conversation.session,
        token=session.token,
        resumed=session.token is None,
        title=chat.profile.title,
        opening=translate.opening_of(chat.profile),
    )
