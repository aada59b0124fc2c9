"""The sender: connections to receivers, kept and reused, none of which leads where the guard forbids.

Two locks, one behind the other. The resolver judges every address of a name; then the socket is opened for the very
address it is connected to, and judged once more. A kept connection was judged when it was opened.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable
from functools import lru_cache, partial

import aiohappyeyeballs

from crosstie.deliver.link import Answer, Broken, Link
from crosstie.deliver.sender import CONNECT, KEEP, RESERVED, Failure, Request, Response, readable
from crosstie.kit.egress import Address, Forbidden, Guard, Target
from crosstie.kit.resolver import Resolver, Unresolved
from crosstie.kit.trust import trusted

IDLE = 15.0
"""Seconds after which an idle connection is closed; it may take twice as long."""

_ACCEPT = "Accept: */*\r\nAccept-Encoding: identity\r\n"
_LOCAL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NAMES = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+\n)*")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Wire:
    """A `Sender`. Made inside the running event loop; `tls` replaces the trust of the system.

    Nothing limits how much is in flight: the worker does, and a queue here would let one receiver hold up all others.
    """

    def __init__(self, guard: Guard, resolver: Resolver, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._resolver = resolver
        self._tls = tls or trusted("http/1.1")
        self._loop = asyncio.get_running_loop()
        self._pools: dict[tuple[str, str, int], deque[Link]] = {}
        self._read = lru_cache(4096)(guard.check_url)
        self._closed = False
        self._sweeper = self._loop.call_later(IDLE, self._sweep)

    async def send(self, request: Request) -> Response:
        started, clock = time.time(), time.perf_counter()
        answer = Answer()
        failure: Failure | None = None
        try:
            async with asyncio.timeout(request.timeout):
                await self._post(request, answer)
        except TimeoutError:
            failure = Failure("timeout", f"no complete answer within {request.timeout:g} s")
        except Broken as error:
            failure = Failure(error.code, str(error))
        except Unresolved as error:
            failure = Failure("dns", str(error))
        except Forbidden as error:
            failure = Failure("egress_forbidden", str(error))
        except ValueError as error:
            failure = Failure("invalid_request", str(error))
        duration = round((time.perf_counter() - clock) * 1000)
        return Response(started, duration, answer.status, readable(answer.headers), bytes(answer.body[:KEEP]), failure)

    async def close(self) -> None:
        """Close what is idle; what is in flight ends by itself and is not kept."""
        self._closed = True
        self._sweeper.cancel()
        for pool in self._pools.values():
            for link in pool:
                link.abort()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn

    async def _post(self, request: Request, answer: Answer) -> None:
        target = self._read(request.url)
        data = _message(target, request)
        pool = self._pool(target)
        while pool:
            if (link := pool.pop()).open:
                try:
                    await self._exchange(link, target, data, answer)
                except Broken as error:
                    # The receiver may close a kept connection at the moment it is used, which says nothing about the
                    # request. Once more, over a new one, within the attempt: at least once is what is promised.
                    if error.code != "reset" or answer.received:
                        raise
                    break
                return
        await self._exchange(await self._connect(target), target, data, answer)

    async def _exchange(self, link: Link, target: Target, data: bytes, answer: Answer) -> None:
        await link.exchange(data, answer)
        if self._closed:
            link.abort()
        elif link.open:
            self._pool(target).append(link)

    def _pool(self, target: Target) -> deque[Link]:
        return self._pools.setdefault((target.scheme, target.host, target.port), deque())

    async def _connect(self, target: Target) -> Link:
        addresses: Iterable[Address] = (target.address,) if target.address else ()
        addresses = addresses or await self._resolver.resolve(target.host, target.port, target.scheme)
        tls, name = (self._tls, target.host) if target.scheme == "https" else (None, None)
        try:
            async with asyncio.timeout(CONNECT):
                sock = await aiohappyeyeballs.start_connection(
                    [_info(address, target.port) for address in addresses],
                    happy_eyeballs_delay=0.25,
                    interleave=1,
                    loop=self._loop,
                    socket_factory=partial(self._open, target),
                )
                return (await self._loop.create_connection(Link, sock=sock, ssl=tls, server_hostname=name))[1]
        except TimeoutError:
            raise Broken("connect", f"no connection within {CONNECT:g} s") from None
        except ssl.SSLError as error:
            raise Broken("tls", getattr(error, "verify_message", "") or error.reason or str(error)) from None
        except OSError as error:
            raise Broken("local" if error.errno in _LOCAL else "connect", str(error)) from None

    def _open(self, target: Target, info: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        self._guard.check_address(str(info[4][0]), target.scheme, target.port)
        return socket.socket(info[0], info[1], info[2])

    def _sweep(self) -> None:
        old = self._loop.time() - IDLE
        for key, pool in list(self._pools.items()):
            while pool and (pool[0].used < old or not pool[0].open):
                pool.popleft().abort()
            if not pool:
                del self._pools[key]
        self._sweeper = self._loop.call_later(IDLE, self._sweep)


def _info(address: Address, port: int) -> aiohappyeyeballs.AddrInfoType:
    if address.version == 4:
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port, 0, 0)


def _message(target: Target, request: Request) -> bytes:
    names = [name.lower() for name in request.headers]
    if not RESERVED.isdisjoint(names) or len(set(names)) < len(names):
        raise ValueError("a header is given twice, or belongs to the connection")
    if not _NAMES.fullmatch("\n".join([*names, ""])) or _UNSAFE.search("".join(request.headers.values())):
        raise ValueError("a header has characters that cannot be sent")
    lines = [f"{name}: {value}\r\n" for name, value in request.headers.items()]
    start = f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{_ACCEPT}"
    return f"{start}{''.join(lines)}Content-Length: {len(request.body)}\r\n\r\n".encode() + request.body
