"""Calls to outside systems by HTTP: bounded in time and size, and never to an address of our own network.

On httpcore2, the engine of httpx2: it has the hook that the address check needs, and none of what would have to be
switched off here: proxies from the environment (they would look names up for us), cookies, redirects, unpacking.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore2

from broker.errors import AddressRefusedError, ChannelRejectedError, ChannelSilentError, ChannelUnreachableError

CONNECT_WAIT_S = 3.0
"""With looking the name up."""
CALL_WAIT_S = 10.0
ANSWER_BYTES_MAX = 1 << 20
CONNECTIONS_MAX = 1_000
"""Far more than any one system gets at a time, so that a slow one does not keep the calls to others waiting."""
KEPT_OPEN_MAX = 100
KEPT_OPEN_S = 30.0

_TRANSLATING = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as IPv6, for networks that translate; the address is in the last 32 bits."""
_NEVER_PUBLIC = tuple(map(IPv6Network, ("64:ff9b:1::/48", "fec0::/10", "::/96")))
"""What some Python, or every one, takes for global: a network's own translators (RFC 8215), and two old forms."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``to`` names the outside system in errors; ``content`` is sent as JSON where there is any.

    ``wait_s``: for the whole of it; ``connect_wait_s``: of that, for a connection.
    """

    to: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    answer_bytes_max: int = ANSWER_BYTES_MAX
    wait_s: float = CALL_WAIT_S
    connect_wait_s: float = CONNECT_WAIT_S


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever the status; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """The usual certificates; reading them takes 30 ms and a megabyte, so all of a process share them."""
    return httpcore2.default_ssl_context()


class OutboundHttp:
    """One per process, shared by all calls; ``private_addresses`` lets it reach our own network, and plain http."""

    def __init__(self, *, private_addresses: bool = False) -> None:
        self._private_addresses = private_addresses
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=KEPT_OPEN_MAX,
            keepalive_expiry=KEPT_OPEN_S,
            network_backend=_CheckedNetwork(private_addresses=private_addresses),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def call(self, call: Call) -> Answer:
        """The answer, read whole; redirects are answers like any other.

        Raises:
            AddressRefusedError: it is not https, or all its addresses are private ones.
            ChannelUnreachableError: no connection came about, so nothing was sent.
            ChannelSilentError: it was sent, and no whole answer came in time: it may have been taken.
            ChannelRejectedError: the answer is longer than it may be, or the call cannot be written.
        """
        if not self._private_addresses and urlsplit(call.url).scheme != "https":
            raise AddressRefusedError(call.to, problem="its address does not begin with https://")
        try:
            async with asyncio.timeout(call.wait_s):
                return await self._exchange(call)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout) as error:
            raise ChannelUnreachableError(call.to, problem=f"no connection ({type(error).__name__})") from error
        except (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol) as error:
            problem = f"the call cannot be written ({type(error).__name__})"
            raise ChannelRejectedError(call.to, problem=problem) from error
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise ChannelSilentError(call.to, problem=f"no answer within {call.wait_s:g} s") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise ChannelSilentError(call.to, problem=f"the answer broke off ({type(error).__name__})") from error
        except _RefusedAddressError as error:
            raise AddressRefusedError(call.to, problem="its name leads to a private address") from error

    async def _exchange(self, call: Call) -> Answer:
        given = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "heimdall", **call.headers}
        if call.content is not None:
            given["Content-Type"] = "application/json"
        headers = [(name.encode(), value.encode()) for name, value in given.items()]
        connect_s, whole_s = call.connect_wait_s, call.wait_s
        waits = {"connect": connect_s, "read": whole_s, "write": whole_s, "pool": connect_s}
        content = b"" if call.content is None and call.method != "GET" else call.content
        async with self._pool.stream(
            call.method, call.url, headers=headers, content=content, extensions={"timeout": waits}
        ) as response:
            body = bytearray()
            async for part in response.aiter_stream():
                body += part
                if len(body) > call.answer_bytes_max:
                    problem = f"its answer is longer than {call.answer_bytes_max} bytes"
                    raise ChannelRejectedError(call.to, problem=problem, status=response.status)
            named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, named, bytes(body))


def is_public(address: str) -> bool:
    """Whether the address belongs to no network of our own, in whichever way it is written."""
    found = ip_address(address.partition("%")[0])
    inner = _inner(found)
    is_ours = isinstance(found, IPv6Address) and any(found in network for network in _NEVER_PUBLIC)
    return found.is_global and not (is_ours or found.is_multicast) and (inner is None or is_public(str(inner)))


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _TRANSLATING:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class _RefusedAddressError(Exception):
    """Nothing of ours is to be reached from outside by way of us."""


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Looks a name up once, and connects to an address that was checked: a second look-up might tell another."""

    def __init__(self, *, private_addresses: bool) -> None:
        self._network = httpcore2.AnyIOBackend()
        self._private_addresses = private_addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the engine's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of the host that may be reached, and can."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        # Each has its part of the time: the first may be one that only swallows what is sent to it.
        wait_s = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._network.connect_tcp(address, port, wait_s, local_address, socket_options)
        return await self._network.connect_tcp(addresses[-1], port, wait_s, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(type(error).__name__) from error
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        allowed = [address for address in addresses if self._private_addresses or is_public(address)]
        if not allowed:
            raise _RefusedAddressError
        return allowed
