"""Small documents from addresses that somebody else chose: key sets and discovery documents of issuers.

As with webhooks, every address of a name is judged, and the very address once more before it is connected to. Nothing
is redirected, no proxy of the environment is asked, and time and size are bounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

import httpcore2

from crosstie.kit.egress import Address, Forbidden, Guard, Scheme
from crosstie.kit.resolver import Resolver, Unresolved
from crosstie.kit.trust import trusted

TIME = 5.0
"""Seconds from the first question to the last byte."""

SIZE = 65_536
"""Bytes of a document."""

_HEADERS = [("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "Crosstie")]


class Unfetched(OSError):
    """There is no such document to be had now; the message says why, for the operator."""


class Unanswered(Unfetched):
    """The request went out, and there is no answer to be read: whether it was acted upon nobody knows."""


class Fetcher:
    """Gets documents. Made inside the running event loop; `tls` replaces the trust of the system."""

    def __init__(
        self, guard: Guard, resolver: Resolver, tls: ssl.SSLContext | None = None, seconds: float = TIME
    ) -> None:
        self._seconds = seconds
        self._guard = guard
        trust = tls or trusted("http/1.1")
        schemes: tuple[Scheme, ...] = ("https", "http")
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                trust, max_keepalive_connections=0, network_backend=Judged(guard, resolver, scheme)
            )
            for scheme in schemes
        }

    async def get(self, url: str) -> bytes:
        """The document at a URL: what is answered with 200, whole. Raises Unfetched."""
        status, body = await self.ask("GET", url)
        if status != 200:
            raise Unfetched(f"the answer was {status}")
        return body

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body of an answer, whatever it is.

        Raises Unfetched where the request surely was not acted upon, Unanswered where it may have been.
        """
        sent = [*_HEADERS, *(headers or {}).items()]
        try:
            target = self._guard.check_url(url)
            async with asyncio.timeout(self._seconds):
                return await self._read(self._pools[target.scheme], method, target.url, sent, content)
        except (Forbidden, Unresolved, httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise Unfetched(str(error) or type(error).__name__) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        except (TimeoutError, httpcore2.TimeoutException):
            raise Unanswered(f"no complete answer within {self._seconds:g} s") from None

    async def close(self) -> None:
        """Close what is open."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _read(
        self, pool: httpcore2.AsyncConnectionPool, method: str, url: str, headers: list[tuple[str, str]], content: bytes
    ) -> tuple[int, bytes]:
        async with pool.stream(method, url, headers=headers, content=content or None) as response:
            if any(name.lower() == b"content-encoding" for name, _ in response.headers):
                raise Unanswered("the answer is packed, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > SIZE:
                    raise Unanswered(f"the document is larger than {SIZE} bytes")
            return response.status, bytes(body)


class Judged(httpcore2.AsyncNetworkBackend):
    """The network of a pool: it connects to addresses that have passed the guard, and to nothing else."""

    def __init__(self, guard: Guard, resolver: Resolver, scheme: Scheme) -> None:
        self._guard = guard
        self._resolver = resolver
        self._scheme = scheme
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            addresses: tuple[Address, ...] = (ip_address(host),)
        except ValueError:
            addresses = await self._resolver.resolve(host, port, self._scheme)
        for address in addresses:
            self._guard.check_address(address, self._scheme, port)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(addresses[-1]), port, timeout, local_address, socket_options)
