"""The administrators' HTTP API: ``/api/channels``, on the worker's own port, a bearer token for each org.

Source: specs/webim.md sections 2.2 and 6.2. Errors have the spec's shape, ``{"error": <code>, "desc": <sentence>}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from broker.codec import JSON, content_type, decode
from broker.domain.ids import OrgId
from broker.domain.wire import Body
from broker.errors import (
    BackboneError,
    BodyTooLargeError,
    BusError,
    DeploymentInProgressError,
    InvalidChannelError,
    TooManyChannelsError,
    UndecodableBodyError,
    UnknownChannelError,
    UnknownDeploymentError,
    UnsupportedMediaTypeError,
)
from workers.webim.administration.access import AdminTokens
from workers.webim.administration.admin import ChannelAdmin

PREFIX = "/api/channels"
FORM_BYTES_MAX = 65_536
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
RETRY_AFTER_S = "5"
ANSWER_WAIT_S = 10.0
"""What has been begun by then is mended as after a kill."""

_STATUS: Mapping[type[BackboneError], int] = {
    InvalidChannelError: 422,
    UnknownChannelError: 404,
    UnknownDeploymentError: 404,
    DeploymentInProgressError: 409,
    TooManyChannelsError: 409,
    BodyTooLargeError: 413,
    UndecodableBodyError: 400,
    UnsupportedMediaTypeError: 415,
}
_NAMES = {413: "payload_too_large", 400: "invalid_json"}
"""Codes that the spec has for HTTP, where the error's own is the bus's."""

log = structlog.get_logger()

Act = Callable[[OrgId, Request], Awaitable[Response]]
Route = Callable[[Request], Awaitable[Response]]


def channel_routes(admin: ChannelAdmin, tokens: AdminTokens) -> APIRouter:
    """The routes, for the application that serves them."""
    router = APIRouter()
    acts = _Acts(admin)
    one, deployments = PREFIX + "/{channel_id}", PREFIX + "/{channel_id}/deployments"
    for path, by_method in (
        (PREFIX, {"GET": acts.list, "POST": acts.create}),
        (one, {"GET": acts.show, "PATCH": acts.change, "DELETE": acts.remove}),
        (one + "/deploy", {"POST": acts.deploy}),
        (deployments, {"GET": acts.deployments}),
        (deployments + "/{deployment_id}", {"GET": acts.deployment}),
    ):
        router.add_api_route(path, _guarded(by_method, tokens), methods=METHODS, response_model=None)
    return router


class _Acts:
    """One method per route; the org is who asks."""

    def __init__(self, admin: ChannelAdmin) -> None:
        self._admin = admin

    async def list(self, org: OrgId, _request: Request) -> Response:
        found = await self._admin.channels(org)
        return _json(200, {"channels": [channel.model_dump() for channel in found]})

    async def create(self, org: OrgId, request: Request) -> Response:
        return _json(201, (await self._admin.create(org, await _form(request))).model_dump())

    async def show(self, org: OrgId, request: Request) -> Response:
        return _json(200, (await self._admin.show(org, _channel_id(request))).model_dump())

    async def change(self, org: OrgId, request: Request) -> Response:
        changed = await self._admin.change(org, _channel_id(request), await _form(request))
        return _json(200, changed.model_dump())

    async def remove(self, org: OrgId, request: Request) -> Response:
        await self._admin.remove(org, _channel_id(request))
        return Response(status_code=204)

    async def deploy(self, org: OrgId, request: Request) -> Response:
        return _json(202, {"deployment_id": await self._admin.deploy(org, _channel_id(request))})

    async def deployments(self, org: OrgId, request: Request) -> Response:
        found = await self._admin.deployments(org, _channel_id(request))
        return _json(200, {"deployments": [deployment.model_dump() for deployment in found]})

    async def deployment(self, org: OrgId, request: Request) -> Response:
        found = await self._admin.deployment(org, _channel_id(request), request.path_params["deployment_id"])
        return _json(200, found.model_dump())


def _guarded(acts: Mapping[str, Act], tokens: AdminTokens) -> Route:
    """The route of a path: who asks is known, and whatever goes wrong is an answer."""

    async def route(request: Request) -> Response:
        org = tokens.org_of(request.headers.get("authorization"))
        if org is None:
            desc = "send 'Authorization: Bearer <token>' with a token of HEIMDALL_WEBIM_ADMIN_TOKENS"
            return _refusal(401, "unauthorized", desc, headers={"WWW-Authenticate": 'Bearer realm="heimdall"'})
        if (act := acts.get(request.method)) is None:
            allowed = ", ".join(acts)
            return _refusal(405, "method_not_allowed", f"only {allowed} is taken here", headers={"Allow": allowed})
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return await act(org, request)
        except InvalidChannelError as error:
            told = {"error": error.code, "fields": error.fields, "hints": error.hints, "desc": str(error)}
            return _json(422, told)
        except (BusError, TimeoutError) as error:
            log.warning("channel_request_failed", error_code=getattr(error, "code", "timeout"))
            desc = "the backbone is not reachable: try again in some seconds"
            return _refusal(503, "backbone_unavailable", desc, headers={"Retry-After": RETRY_AFTER_S})
        except BackboneError as error:
            status = _STATUS.get(type(error), 500)
            return _refusal(status, _NAMES.get(status, error.code), str(error))

    return route


async def _form(request: Request) -> Body:
    """The body as a map, bounded while it comes in."""
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type != JSON:
        raise UnsupportedMediaTypeError(media_type)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > FORM_BYTES_MAX:
            raise BodyTooLargeError("the form", len(data), bytes_max=FORM_BYTES_MAX)
    if content_type(bytes(data)) != JSON:
        raise UndecodableBodyError(len(data), "write it as {...}")
    return decode(bytes(data))


def _channel_id(request: Request) -> str:
    found: str = request.path_params["channel_id"]
    return found


def _json(status: int, body: Body) -> Response:
    return JSONResponse(body, status, headers={"Cache-Control": "no-store"})


def _refusal(status: int, code: str, desc: str, *, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": code, "desc": desc}, status, headers=headers)
