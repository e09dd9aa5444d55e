"""The files that browsers load: read once, kept in memory, answered with their hash so that a cache can ask."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from starlette.requests import Request
from starlette.responses import Response

CONTENT_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "html": "text/html; charset=utf-8",
}
COMMON_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
SHARED_HEADERS = {**COMMON_HEADERS, "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Other sites load the widget as a module, which browsers allow only with these."""
PAGE_HEADERS = {
    **COMMON_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
PAGE = "/page/page.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

    body: bytes
    content_type: str
    headers: Mapping[str, str]
    etag: str

    def answer(self, request: Request) -> Response:
        """The file, or "not modified" to a cache that has it."""
        headers = {**self.headers, "ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.content_type, headers=headers)


def load_assets(defaults: Mapping[str, str]) -> dict[str, Asset]:
    """Every file by its path; ``/`` is the demo builder page with these values in its fields."""
    found = dict(_walk(files("workers.webchat").joinpath("static"), ""))
    page = Template(found.pop(PAGE).decode()).substitute({name: escape(text) for name, text in defaults.items()})
    found["/"] = page.encode()
    return {path: _asset(path, body) for path, body in found.items()}


def _walk(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        here = f"{path}/{item.name}"
        found.extend(_walk(item, here) if item.is_dir() else [(here, item.read_bytes())])
    return found


def _asset(path: str, body: bytes) -> Asset:
    suffix = "html" if path == "/" else path.rsplit(".", 1)[-1]
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(body, CONTENT_TYPES[suffix], PAGE_HEADERS if path == "/" else SHARED_HEADERS, etag)
