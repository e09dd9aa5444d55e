"""``python -m tests.standins.webim [--port N]``: a simulated Webim account; prints ``{"port": N}`` when it is there."""

from __future__ import annotations

import argparse
import asyncio

from tests.standins.webim.server import serve

parser = argparse.ArgumentParser(prog="python -m tests.standins.webim", description="A simulated Webim account.")
parser.add_argument("--port", type=int, default=0, help="the port on loopback; 0: any")
parser.add_argument("--with-stdin", action="store_true", help="end when stdin does")
options = parser.parse_args()
asyncio.run(serve(options.port, with_stdin=options.with_stdin))
