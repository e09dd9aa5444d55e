"""The web application that Webim calls: who may, how it speaks, how much; every refusal in Webim's own form.

Source: specs/webim.md sections 3.1, 3.4 and 6.1.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from http import HTTPMethod

import structlog
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from broker.domain.outside_json import Json, read_object
from broker.errors import BackboneError, CallRefusedError
from broker.runtime.loop import where
from broker.runtime.serving import add_probes
from workers.webim.calls.call import Calls, Spoken
from workers.webim.calls.metrics import CALLS
from workers.webim.channel import Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import Dialect
from workers.webim.wire import BODY_BYTES_MAX, REFUSALS

ENDPOINT_PATH = "/chatapi/webim/{token}"
HANDLERS = frozenset(("chat_started", "chat_assigned", "chat_closed"))
HANDLERS_PREFIX = "handlers/"
SUFFIXES: dict[str, Dialect | None] = {"": None, "v1": "1", "v2": "2"}
VERSION_CHARACTERS_MAX = 32
BODY_WAIT_S = 10.0
TOKEN_CHARACTERS_SHOWN = 4

log = structlog.get_logger()


class Endpoint:
    """Plain ASGI, so that every method comes here and the body is read no further than it may be."""

    def __init__(self, channels: Channels, calls: Calls) -> None:
        self._channels = channels
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        request = Request(scope, receive)
        try:
            answer: Response = JSONResponse(await self._answer(request))
        except ClientDisconnect:
            return
        except CallRefusedError as error:
            answer = refused(error.code, str(error))
        except TimeoutError:
            answer = refused("backbone_unavailable", "the backbone did not store it in time: try again soon")
        except BackboneError as error:
            code = "backbone_unavailable" if error.retryable else "internal"
            log.warning("call_failed", error_code=error.code, token=_shown(request))
            answer = refused(code, "the backbone does not take it now: try again soon")
        except Exception as error:  # noqa: BLE001 - the one catch-all of a call: Webim gets an answer, whatever happens
            log.error("call_failed", error_code="internal", error_type=type(error).__name__, where=where(error))
            answer = refused("internal", "the call could not be taken, for a reason of ours")
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Json:
        if request.method != HTTPMethod.POST:
            raise CallRefusedError("method_not_allowed", "only POST is taken here")
        channel = self._channels.by_token(request.path_params["token"])
        if channel is None:
            raise CallRefusedError("unknown_channel", "no channel has this address: look it up in its settings")
        _check_login(channel, request.headers.get("authorization", ""))
        rest: str = request.path_params.get("rest", "").rstrip("/")
        if rest.startswith(HANDLERS_PREFIX):
            return await self._handle(channel, rest.removeprefix(HANDLERS_PREFIX), request)
        data = await _read(request)
        _check_content_type(request.headers.get("content-type"))
        spoken = spoken_in(channel, rest, request.headers.get("x-bot-api-version", ""), _version(request))
        log.debug("call_came", channel_id=channel.id, dialect=request.headers.get("x-bot-api-dialect", "")[:32])
        return await self._calls.take(channel, spoken, read_object(data))

    async def _handle(self, channel: Channel, handler: str, request: Request) -> Json:
        if handler not in HANDLERS:
            raise CallRefusedError("unknown_handler", f"there is no such handler: expected one of {sorted(HANDLERS)}")
        data = await _read(request)
        _check_content_type(request.headers.get("content-type"))
        return await self._calls.handle(channel, handler, read_object(data))


def build_app(endpoint: Endpoint, *, is_ready: Callable[[], bool]) -> FastAPI:
    """The application; the routes of others, such as the channels' own API, may be added to it."""
    app = FastAPI(title="Heimdall webim", docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.append(Route(ENDPOINT_PATH, endpoint))
    app.router.routes.append(Route(ENDPOINT_PATH + "/{rest:path}", endpoint))

    add_probes(app, is_ready)
    return app


def refused(code: str, problem: str) -> Response:
    """A refusal in Webim's own form."""
    refusal = REFUSALS[code]
    CALLS.labels(code).inc()
    return JSONResponse({"error": code, "desc": problem}, refusal.status, dict(refusal.headers))


def spoken_in(channel: Channel, suffix: str, header: str, webim_version: str | None) -> Spoken:
    """Which dialect a call is in: the address says it, else the header, else the channel's settings.

    Raises:
        CallRefusedError: one that we do not speak, or cannot answer in.
    """
    if suffix not in SUFFIXES:
        raise CallRefusedError("unsupported_bot_api_version", "the address may end with /v1, /v2 or nothing more")
    dialect = SUFFIXES[suffix] or _dialect_of(header.strip()) or _usual_dialect(channel)
    if dialect == "2" and not channel.settings.bot_api_token:
        raise CallRefusedError(
            "bot_api_v2_not_configured", "the channel has no bot API token, so it cannot answer in version 2"
        )
    return Spoken(dialect, webim_version)


def _dialect_of(header: str) -> Dialect | None:
    if not header:
        return None
    if header.startswith("2."):
        return "2"
    if header.startswith("1."):
        return "1"
    raise CallRefusedError("unsupported_bot_api_version", "the bot API has the versions 1.0 and 2.0 here")


def _usual_dialect(channel: Channel) -> Dialect:
    if channel.settings.api_version == "auto":
        return "2" if channel.settings.bot_api_token else "1"
    return channel.settings.api_version


def _check_login(channel: Channel, given: str) -> None:
    """HTTP Basic, where the channel asks for it; compared by hashes, so that the time taken tells nothing."""
    user, password = channel.settings.inbound_basic_user, channel.settings.inbound_basic_password
    if user is None and password is None:
        return
    scheme, _, encoded = given.partition(" ")
    try:
        found = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        found = b""
    expected = f"{user or ''}:{password or ''}".encode()
    if not hmac.compare_digest(hashlib.sha256(found).digest(), hashlib.sha256(expected).digest()):
        raise CallRefusedError("unauthorized", "this channel asks for a user and a password, by HTTP Basic")


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise _too_large()
    parts: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for part in request.stream():
                size_bytes += len(part)
                if size_bytes > BODY_BYTES_MAX:
                    raise _too_large()
                parts.append(part)
    except TimeoutError as error:
        raise CallRefusedError("invalid_json", f"the body did not come whole within {BODY_WAIT_S:.0f} s") from error
    return b"".join(parts)


def _too_large() -> CallRefusedError:
    return CallRefusedError("payload_too_large", f"the body has more than {BODY_BYTES_MAX} bytes")


def _check_content_type(content_type: str | None) -> None:
    if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/json":
        raise CallRefusedError("unsupported_media_type", "the body must be application/json")


def _version(request: Request) -> str | None:
    return request.headers.get("x-webim-version", "").strip()[:VERSION_CHARACTERS_MAX] or None


def _shown(request: Request) -> str:
    return str(request.path_params.get("token", ""))[:TOKEN_CHARACTERS_SHOWN]
