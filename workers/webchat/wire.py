"""The frames between browser and worker: JSON objects, one per WebSocket text message, told apart by ``frame``.

A connection begins with ``hello``. The worker answers ``welcome``, what the browser has missed as ``message`` frames,
and ``replayed``; from then on both sides speak freely. ``say``, ``configure`` and ``control`` carry an id that the
browser minted and are repeated after a reconnect until ``stored`` (or ``refused``) names that id: nothing is lost,
and the id sees to it that nothing is doubled. ``seen`` says how far the browser has read the log.

Source: our own protocol; what it carries is specs/stubber-webchat.md sections 2.3, 4 and 7.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from broker.domain.events import UUID, Label, PlatformSwitch
from broker.errors import InvalidBodyError

TEXT_BYTES_MAX = 64 * 1024
EVENT_BYTES_MAX = 256 * 1024
FRAME_BYTES_MAX = EVENT_BYTES_MAX + TEXT_BYTES_MAX + 16 * 1024
"""A message with its page event, and room for the rest of the frame."""
PASS_THROUGH_BYTES_MAX = 16 * 1024
TOKEN_CHARACTERS_MAX = 128
ID_CHARACTERS_MAX = 64
SEQUENCE_MAX = 2**53 - 1
"""The largest whole number that a browser counts exactly."""


class CloseCode(IntEnum):
    """Why the worker ends a connection; after 4400 to 4404 the browser does not come back by itself."""

    RESTART = 1012
    TRY_LATER = 1013
    BAD_FRAME = 4400
    FORBIDDEN_ORIGIN = 4403
    UNKNOWN_CHAT = 4404
    TOO_SLOW = 4408


def _at_most(bytes_max: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text.encode()) > bytes_max:
            message = f"at most {bytes_max} bytes are taken"
            raise ValueError(message)
        return text

    return AfterValidator(check)


Sequence = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]
PageEvent: TypeAlias = dict[str, JsonValue]


class Frame(BaseModel):
    """Base of all frames: strict, so that "1" is no number; unknown members are a newer client's and left alone."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class ResumeSession(Frame):
    """A session that this browser was given earlier.

    ``replay_after`` is the last sequence that the page shows; ``seen`` the last that this tab has ever handled.
    """

    sessionuuid: UUID
    token: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX)]
    replay_after: Sequence = 0
    seen: Sequence = 0


class Hello(Frame):
    """First frame of a connection: which chat, and which session if there is one."""

    frame: Literal["hello"]
    orguuid: str
    chat_name: str
    pass_through_data: Annotated[str, _at_most(PASS_THROUGH_BYTES_MAX)] | None = None
    session: ResumeSession | None = None


class Say(Frame):
    """A written message; ``event`` is what the page's own hook adds to it."""

    frame: Literal["say"]
    id: UUID
    text: Annotated[str, _at_most(TEXT_BYTES_MAX)]
    event: PageEvent | None = None


class Configure(Frame):
    """The visitor asks to go on elsewhere."""

    frame: Literal["configure"]
    id: UUID
    platform_switch: PlatformSwitch


class Control(Frame):
    """An event of the embedding page for the stub, beside the chat."""

    frame: Literal["control"]
    id: UUID
    event: PageEvent


class Typing(Frame):
    """Somebody is typing: shown and never stored."""

    frame: Literal["typing"]


class Seen(Frame):
    """Everything up to this sequence has reached the visitor's page."""

    frame: Literal["seen"]
    sequence: Sequence


Told: TypeAlias = Say | Configure | Control
"""What becomes an event in the log."""
Upward: TypeAlias = Hello | Say | Configure | Control | Typing | Seen


class Opening(Frame):
    """The chat's own greeting, shown before all else."""

    type: Label
    html: str


class Welcome(Frame):
    """The session is there. ``token`` is told once, when the session is new; whoever holds it may resume."""

    frame: Literal["welcome"] = "welcome"
    sessionuuid: UUID
    token: str | None
    resumed: bool
    title: str | None
    opening: Opening | None


class Replayed(Frame):
    """All that was missed has been sent, up to ``through``; ``gap``: the log no longer holds all of it."""

    frame: Literal["replayed"] = "replayed"
    through: int
    gap: bool


class Stored(Frame):
    """The frame with this id is in the log."""

    frame: Literal["stored"] = "stored"
    id: str
    sequence: int


class Message(Frame):
    """One event of the log, in its order; the parts that it does not have are null.

    ``html`` is safe to insert as it is; ``type`` is null where there is nothing to show.
    """

    frame: Literal["message"] = "message"
    sequence: int
    id: str
    direction: Literal["to_visitor", "from_visitor"]
    at_ms: int
    agent: str | None = None
    type: Label | None = None
    html: str | None = None
    text: str | None = None
    settings: dict[str, JsonValue] | None = None
    control: PageEvent | None = None


class Refused(Frame):
    """Not taken: with an id that one frame, without it the whole connection."""

    frame: Literal["refused"] = "refused"
    code: str
    message: str
    id: str | None = None


Downward: TypeAlias = Welcome | Replayed | Stored | Message | Refused

_UPWARD: TypeAdapter[Upward] = TypeAdapter(Annotated[Upward, Field(discriminator="frame")])


def read_frame(text: str) -> Upward:
    """The frame in a text message.

    Raises:
        InvalidBodyError: no JSON, an unknown frame, or members missing, wrong or too large.
    """
    try:
        return _UPWARD.validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = [f"{'.'.join(map(str, item['loc'])) or 'frame'}: {item['msg']}" for item in found[:5]]
        raise InvalidBodyError("frame", tuple(problems)) from error


def id_in(text: str) -> str | None:
    """The id of a frame that cannot be read otherwise, so that the browser learns which one it was."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    frame_id = found.get("id") if isinstance(found, dict) else None
    return frame_id if isinstance(frame_id, str) and len(frame_id) <= ID_CHARACTERS_MAX else None


def write_frame(frame: Downward) -> str:
    """The frame as the text that goes to the browser."""
    return frame.model_dump_json()
