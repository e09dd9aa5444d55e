"""Whether giosg's webhooks would reach the worker: the public addresses are called as giosg would call them.

Source: specs/giosg.md sections 4.1, 4.3 and 4.4.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from broker.errors import ChannelError
from broker.runtime.outbound_http import Call, OutboundHttp
from workers.giosg.checking.check import Check, failed, ok, skipped
from workers.giosg.connections.connection import GiosgConnection, WebhookUrl, webhook_urls
from workers.giosg.hearing.verifying import PROBE_ACTION

RESOURCE_ID = "heimdall-verify"
WRONG_SECRET = "not-the-secret-of-this-connection"
WAIT_S = 10.0

START = "start the giosg worker with this file (HEIMDALL_GIOSG_CONNECTIONS), and let the proxy pass /giosg/ on to it"


async def check_webhooks(connection: GiosgConnection, http: OutboundHttp) -> list[Check]:
    """Three checks for each webhook: the address leads to the worker, it keeps strangers out, it takes ours."""
    return [
        check
        for webhook in webhook_urls(connection, with_secret=True)
        for check in await _check(webhook, connection, http)
    ]


async def _check(webhook: WebhookUrl, connection: GiosgConnection, http: OutboundHttp) -> list[Check]:
    address, _, query = webhook.url.partition("?")
    reached, guarded, taken = (f"webhook {webhook.kind}: {what}" for what in ("address", "wrong secret", "our secret"))
    try:
        status = await _status(http, "GET", address)
        if status != 405:
            mend = _mend_address(status)
            return [failed(reached, f"GET answered {status}, expected 405: {address}", mend), *skipped(guarded, taken)]
        body = _body(webhook, connection)
        wrong = await _status(http, "POST", f"{address}?secret={WRONG_SECRET}", body)
        right = await _status(http, "POST", f"{address}?{query}", body)
    except ChannelError as error:
        cause = f" ({error.__cause__})" if error.__cause__ is not None and str(error.__cause__) else ""
        mend = f"giosg must reach {_origin(address)} by https from the internet, with a valid certificate; {START}"
        return [failed(reached, f"{error}{cause}", mend), *skipped(guarded, taken)]
    return [ok(reached, address), _guarded(guarded, wrong), _taken(taken, right)]


async def _status(http: OutboundHttp, method: str, url: str, content: bytes | None = None) -> int:
    where = urlsplit(url)
    to = f"{where.scheme}://{where.netloc}{where.path}"
    return (await http.call(Call(to, method, url, content=content, wait_s=WAIT_S))).status


def _body(webhook: WebhookUrl, connection: GiosgConnection) -> bytes:
    channel = webhook.channel.replace("{organization_id}", connection.organization_id).replace("*", RESOURCE_ID)
    return json.dumps({"channel": channel, "action": PROBE_ACTION, "resource_id": RESOURCE_ID}).encode()


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _mend_address(status: int) -> str:
    if status in (502, 503, 504):
        return f"something in front of the worker answers, and does not reach it: {START}"
    if 300 <= status < 400:
        return "it redirects, and giosg's call would end there: put the address that it leads to in webhook_public_url"
    if status == 404:
        return f"nothing, or a worker without this connection, is at webhook_public_url: {START}"
    return f"something else than the worker answers: correct webhook_public_url, or {START}"


def _guarded(name: str, status: int) -> Check:
    if status == 403:
        return ok(name, "refused with 403, as it must be")
    mend = "something in front of the worker answers for it: it must pass the whole address on, with ?secret=…"
    return failed(name, f"answered {status}, expected 403", mend)


def _taken(name: str, status: int) -> Check:
    if status == 200:
        return ok(name, "taken with 200")
    mend = {
        403: "the worker has another secret than this shell: start it anew, with the webhook_secret that is meant",
        415: "something in front of the worker changes the content type: it must stay application/json",
        503: "the worker cannot store it: see whether NATS runs, and the worker's log",
    }.get(status, "see the worker's log, and 'heimdall webhooks log'")
    return failed(name, f"answered {status}, expected 200", mend)
