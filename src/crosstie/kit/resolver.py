"""Asynchronous DNS whose answers have passed the guard: a name with one closed address is refused altogether."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address

import aiodns

from crosstie.kit.egress import Address, Forbidden, Guard, Scheme

LIMIT = 3.0
"""Seconds that one look-up may take."""

KEEP = 10.0
"""Seconds that an answer or a failure is kept, so that a backlog for one host is one question."""

SIZE = 10_000
"""Names kept; the oldest goes first."""


class Unresolved(OSError):
    """A name without an address, or no answer in time."""


class Resolver:
    """Names to judged addresses. Made inside the running event loop; `servers` (`host:port`) replace the system's."""

    def __init__(self, guard: Guard, servers: Sequence[str] = ()) -> None:
        self._guard = guard
        self._dns = aiodns.DNSResolver(servers or None, timeout=1.0, tries=4)
        self._known: dict[str, tuple[float, asyncio.Task[tuple[Address, ...] | Unresolved]]] = {}

    async def resolve(self, host: str, port: int, scheme: Scheme) -> tuple[Address, ...]:
        """Every address of a name, each of which may be called at this port with this scheme.

        Raises:
            Forbidden: one of them may not; the message keeps to itself which, as inner names are nobody's business.
            Unresolved: there is none, or no answer within LIMIT.
        """
        found = await asyncio.shield(self._look_up(host))
        if isinstance(found, Unresolved):
            raise found
        for address in found:
            try:
                self._guard.check_address(address, scheme, port)
            except Forbidden:
                raise Forbidden(f"{host} leads to an address that is not called") from None
        return found

    async def close(self) -> None:
        """End what is still being asked."""
        for _, task in self._known.values():
            task.cancel()
        await self._dns.close()

    def _look_up(self, host: str) -> asyncio.Task[tuple[Address, ...] | Unresolved]:
        now = time.monotonic()
        until, task = self._known.pop(host, (0.0, None))
        if task is None or until < now:
            until, task = now + KEEP, asyncio.get_running_loop().create_task(self._ask(host))
            if len(self._known) >= SIZE:
                del self._known[next(iter(self._known))]
        self._known[host] = until, task
        return task

    async def _ask(self, host: str) -> tuple[Address, ...] | Unresolved:
        try:
            async with asyncio.timeout(LIMIT):
                answer = await self._dns.getaddrinfo(host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        except TimeoutError:
            return Unresolved(f"{host}: no answer within {LIMIT:g} s")
        except aiodns.error.DNSError as error:
            return Unresolved(f"{host}: {error.args[-1]}")
        return tuple(ip_address(node.addr[0].decode()) for node in answer.nodes) or Unresolved(f"{host}: no address")
