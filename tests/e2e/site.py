"""Another web site on another origin, into which a snippet is pasted."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,">
<style>* {{ color: red; font-size: 40px; line-height: 3; }} button, textarea {{ display: none; }}</style></head>
<body><h1>A shop</h1>{snippet}</body>
</html>
"""


class Site:
    """The site; its one page holds the snippet. It has a second name, and so a second origin."""

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}"
        self.other_url = f"http://127.0.0.1:{port}"
        self.snippet = ""

    @property
    def page(self) -> bytes:
        """What a browser gets."""
        return PAGE.format(snippet=self.snippet).encode()


@contextlib.contextmanager
def serving_site() -> Iterator[Site]:
    """Serve it on loopback until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(site.page)))
            self.end_headers()
            self.wfile.write(site.page)

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is the test's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
