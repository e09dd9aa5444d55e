"""``python -m tests.standins.giosg [--port N] [--control-port N]``: a simulated giosg; prints its two ports as JSON."""

from __future__ import annotations

import argparse
import asyncio

from tests.standins.giosg.server import serve

parser = argparse.ArgumentParser(prog="python -m tests.standins.giosg", description="A simulated giosg organization.")
parser.add_argument("--port", type=int, default=0, help="the port of giosg's own interfaces on loopback; 0: any")
parser.add_argument("--control-port", type=int, default=0, help="the port of the control plane and the console; 0: any")
parser.add_argument("--with-stdin", action="store_true", help="end when stdin does")
options = parser.parse_args()
asyncio.run(serve(options.port, options.control_port, with_stdin=options.with_stdin))
