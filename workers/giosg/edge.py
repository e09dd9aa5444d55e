"""The web application that giosg calls: who may, how much, and what it is told.

Source: specs/giosg.md sections 4.1, 4.3 and 4.4.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPMethod
from uuid import uuid4

import structlog
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from broker.domain.webhooks import PATH_CHARACTERS_MAX
from broker.domain.wire import Body
from broker.errors import CallRefusedError
from broker.runtime.loop import where
from broker.runtime.serving import add_probes
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.hearing.inbox import Call, Inbox
from workers.giosg.hearing.verifying import KINDS, WebhookKind

PREFIX = "/giosg"
HEALTH_PATH = f"{PREFIX}/health"
BODY_WAIT_S = 10.0
CALLS_IN_HAND_MAX = 256
"""At a time, each with its body in memory; more are asked to come again."""
METHOD_CHARACTERS_MAX = 16
RETRY_AFTER_S = "5"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a refused call is answered; ``silent``: with nothing but the status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False


REFUSALS: Mapping[str, Refusal] = {
    "unknown_path": Refusal(404),
    "method_not_allowed": Refusal(405, {"Allow": "POST"}),
    "wrong_secret": Refusal(403, silent=True),
    "busy": Refusal(503, {"Retry-After": RETRY_AFTER_S}),
    "unsupported_media_type": Refusal(415),
    "too_large": Refusal(413),
    "slow_body": Refusal(408),
    "invalid_json": Refusal(400),
    "invalid_body": Refusal(400),
    "channel_mismatch": Refusal(400),
    "ids_differ": Refusal(400),
    "unavailable": Refusal(503, {"Retry-After": RETRY_AFTER_S}),
    "internal": Refusal(500),
}
"""Every refusal, in the order of the checks: the first that fails answers."""


class Endpoint:
    """Plain ASGI, so that every method comes here and the body is read no further than it may be."""

    def __init__(
        self,
        connections: Connections,
        inbox: Inbox,
        *,
        body_wait_s: float = BODY_WAIT_S,
        in_hand_max: int = CALLS_IN_HAND_MAX,
    ) -> None:
        self._connections = connections
        self._inbox = inbox
        self._body_wait_s = body_wait_s
        self._in_hand_max = in_hand_max
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        request = Request(scope, receive)
        call = Call(request.method[:METHOD_CHARACTERS_MAX], "", uuid4().hex, now_ms(), time.monotonic())
        try:
            await self._take(request, call)
            answer: Response = JSONResponse({})
        except ClientDisconnect:
            return
        except CallRefusedError as error:
            answer = await self._refused(call, error.code, str(error))
        except Exception as error:  # noqa: BLE001 - the one catch-all of a call: giosg gets an answer, whatever happens
            log.error("webhook_failed", error_code="internal", error_type=type(error).__name__, where=where(error))
            answer = await self._refused(call, "internal", "the call could not be taken, for a reason of ours")
        answer.headers["X-Request-Id"] = call.request_id
        await answer(scope, receive, send)

    async def _take(self, request: Request, call: Call) -> None:
        """The checks, in their order: nothing is read of a body whose sender has not shown the secret."""
        giosg, kind = self._addressed(request.path_params["rest"], call)
        if request.method != HTTPMethod.POST:
            raise CallRefusedError("method_not_allowed", "only POST is taken here")
        if not knows_secret(giosg, request.query_params.get("secret", "")):
            raise CallRefusedError("wrong_secret", "the address has no secret, or another one")
        if self._in_hand >= self._in_hand_max:
            raise CallRefusedError("busy", "too many calls at a time: send it again")
        self._in_hand += 1
        try:
            _check_content_type(request.headers.get("content-type"))
            await self._inbox.take(call, giosg, kind, await self._read(request, giosg.max_webhook_bytes))
        finally:
            self._in_hand -= 1

    def _addressed(self, rest: str, call: Call) -> tuple[GiosgConnection, WebhookKind]:
        """Whose address that is, and what it is for."""
        name, _, told = rest.partition("/")
        call.giosg = giosg = self._connections.get(name)
        kind = next((each for each in KINDS if each == told.rstrip("/")), None)
        if giosg is None or kind is None:
            call.path = "" if giosg is None else without_secrets(giosg, f"{PREFIX}/{rest}")
            raise CallRefusedError("unknown_path", f"expected {PREFIX}/<connection>/ and one of {', '.join(KINDS)}")
        call.kind, call.path = kind, f"{PREFIX}/{name}/{kind}"
        return giosg, kind

    async def _read(self, request: Request, bytes_max: int) -> bytes:
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > bytes_max:
            raise _too_large(bytes_max)
        parts: list[bytes] = []
        size_bytes = 0
        try:
            async with asyncio.timeout(self._body_wait_s):
                async for part in request.stream():
                    size_bytes += len(part)
                    if size_bytes > bytes_max:
                        raise _too_large(bytes_max)
                    parts.append(part)
        except TimeoutError as error:
            raise CallRefusedError("slow_body", f"the body did not come whole in {self._body_wait_s:g} s") from error
        return b"".join(parts)

    async def _refused(self, call: Call, code: str, problem: str) -> Response:
        refusal = REFUSALS[code]
        await self._inbox.refuse(call, code, refusal.status)
        if refusal.silent:
            return Response(status_code=refusal.status, headers=dict(refusal.headers))
        return JSONResponse({"error": code, "desc": problem}, refusal.status, dict(refusal.headers))


def build_app(endpoint: Endpoint, health: Callable[[], Body], is_ready: Callable[[], bool]) -> FastAPI:
    """The application; ``health`` gives what ``GET /giosg/health`` answers, in which no secret may be."""
    app = FastAPI(title="Heimdall giosg", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(HEALTH_PATH)
    async def report() -> Response:
        return JSONResponse(health())

    app.router.routes.append(Route(f"{PREFIX}/{{rest:path}}", endpoint))
    add_probes(app, is_ready)
    return app


def knows_secret(giosg: GiosgConnection, given: str) -> bool:
    """Whether that is the current or the previous secret; by hashes, all of them, so that the time tells nothing."""
    found = _hash(given)
    kept = [one for one in (giosg.webhook_secret, giosg.webhook_secret_previous) if one is not None]
    return sum(hmac.compare_digest(found, _hash(one.get_secret_value())) for one in kept) > 0


def without_secrets(giosg: GiosgConnection, text: str) -> str:
    """A path as it may be kept: somebody may have put the secret into it."""
    for secret in (giosg.webhook_secret, giosg.webhook_secret_previous, giosg.api_token, giosg.app_secret):
        if secret is not None:
            text = text.replace(secret.get_secret_value(), "<secret>")
    return text.encode("ascii", "backslashreplace").decode()[:PATH_CHARACTERS_MAX]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _too_large(bytes_max: int) -> CallRefusedError:
    return CallRefusedError("too_large", f"the body has more than {bytes_max} bytes")


def _check_content_type(content_type: str | None) -> None:
    if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/json":
        raise CallRefusedError("unsupported_media_type", "the body must be application/json")
