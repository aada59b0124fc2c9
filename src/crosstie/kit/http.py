"""Requests to services whose addresses somebody else chose, over connections that are kept.

As with the fetcher, every address of a name is judged, and the very address once more before it is connected to; a kept
connection was judged when it was opened. Nothing is redirected, no proxy of the environment is asked. What failed says
whether anything had left: what was sent may have been done, even where no answer came.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpcore2

from crosstie.kit.egress import Forbidden, Guard, Scheme
from crosstie.kit.fetch import Judged
from crosstie.kit.resolver import Resolver, Unresolved
from crosstie.kit.trust import trusted

SIZE = 8 << 20
"""Bytes of an answer."""

IDLE = 15.0
"""Seconds after which an idle connection is closed."""

_ALWAYS = [("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "Crosstie")]
_CONNECTING = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout)


PRINTABLE = re.compile(r"[\x21-\x7e]+")
"""What a secret may be that goes into a header as it is."""


def basic(name: str | None, secret: str) -> str:
    """HTTP Basic (RFC 7617) as a header's value. Without a name the secret is `name:password`, or a password alone."""
    pair = secret if name is None and ":" in secret else f"{name or ''}:{secret}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


class Failed(OSError):
    """No answer. `code` says why, in a word; `sent` whether the request may have reached the service."""

    def __init__(self, code: str, words: str, *, sent: bool) -> None:
        super().__init__(words)
        self.code = code
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole. Names of headers are in lower case; of a repeated one the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Sends requests. Made inside the running event loop; `tls` replaces the trust of the system."""

    def __init__(self, guard: Guard, resolver: Resolver, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        trust = tls or trusted("http/1.1")
        schemes: tuple[Scheme, ...] = ("https", "http")
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                trust,
                max_connections=None,  # who calls bounds how many are under way
                max_keepalive_connections=100,
                keepalive_expiry=IDLE,
                network_backend=Judged(guard, resolver, scheme),
            )
            for scheme in schemes
        }

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Response:
        """One request and its whole answer, both within so many seconds, whatever drips. Raises Failed."""
        sent = False

        async def progress(event: str, info: object) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        try:
            target = self._guard.check_url(url)
            async with asyncio.timeout(seconds):
                return await self._exchange(
                    self._pools[target.scheme], method, target.url, [*_ALWAYS, *headers.items()], body, progress
                )
        except (TimeoutError, httpcore2.TimeoutException):
            raise Failed("timeout", f"no complete answer within {seconds:g} s", sent=sent) from None
        except Forbidden as error:
            raise Failed("egress_forbidden", str(error), sent=False) from None
        except Unresolved as error:
            raise Failed("dns", str(error), sent=False) from None
        except _CONNECTING as error:
            raise Failed("connect", str(error) or "no connection", sent=False) from None
        except httpcore2.LocalProtocolError as error:
            raise Failed("invalid_request", str(error), sent=False) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Failed("reset", str(error) or "the connection ended", sent=sent) from None

    async def close(self) -> None:
        """Close what is open."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _exchange(
        self,
        pool: httpcore2.AsyncConnectionPool,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        progress: object,
    ) -> Response:
        extensions = {"trace": progress}
        async with pool.stream(method, url, headers=headers, content=body, extensions=extensions) as response:
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if "content-encoding" in found:
                raise Failed("packed", "the answer is packed, which was not asked for", sent=True)
            parts = bytearray()
            async for chunk in response.aiter_stream():
                parts += chunk
                if len(parts) > SIZE:
                    raise Failed("too_large", f"the answer is larger than {SIZE} bytes", sent=True)
            return Response(response.status, found, bytes(parts))
