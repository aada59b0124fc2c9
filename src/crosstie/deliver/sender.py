"""The seam between a delivery and the wire: one POST to an address that somebody else chose.

What every sender keeps, and `tests/contract/sender.py` proves: the guard of `kit.egress` before any packet leaves; one
total timeout, whatever drips; no redirects; no proxy of the environment; TLS verified; nothing decompressed; at most
READ bytes of an answer read and KEEP of them kept. What the receiver does wrong is a `Failure`, never an exception.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol, TypeAlias

READ = 65_536
"""Bytes of an answer's body that are read; when there is more the connection is closed, and the status still counts."""

KEEP = 16_384
"""Bytes of an answer's body, and of its headers, that are kept."""

CONNECT = 5.0
"""Seconds for TCP and TLS to one set of addresses."""

RESERVED = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that frame the message or belong to the connection. Tenants share connections to a common host: a header that
moves the end of a message would let one of them write the next message of another."""

Code: TypeAlias = Literal[
    "egress_forbidden",  # no packet has left
    "dns",
    "connect",
    "tls",
    "timeout",
    "reset",  # closed before the answer was complete
    "protocol",  # the answer is not HTTP
    "too_large",  # the answer's header is
    "invalid_request",  # URL or headers of ours cannot be sent
    "local",  # this machine is out of sockets, ports or memory: not the receiver's doing
]


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. `timeout` is seconds for everything, names and connections included."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no complete answer; `code` is permanent, `message` is for people."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Response:
    """What came of a POST. `started` is Unix seconds; header names are lower case; `body` is cut to KEEP bytes.

    With an `error` the answer is missing or incomplete; its `status` may be known all the same.
    """

    started: float
    duration_ms: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: Failure | None = None

    @property
    def ok(self) -> bool:
        """2xx, complete and in time."""
        return self.error is None and self.status is not None and 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """Seconds that the receiver asks to be left alone from now on (RFC 9110 §10.2.3), if it says so readably."""
        value = self.headers.get("retry-after")
        if value is None:
            return None
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None


class Sender(Protocol):
    """Sends requests over pooled connections."""

    async def send(self, request: Request) -> Response:
        """Send one request; raises for faults of this program only."""

    async def close(self) -> None:
        """Close every connection."""


def readable(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer as text that every database takes: repeated ones joined, KEEP bytes in all."""
    kept: dict[str, str] = {}
    room = KEEP
    for raw, content in headers:
        room -= len(raw) + len(content)
        if room < 0:
            break
        name, value = raw.decode("utf-8", "replace").lower(), content.decode("utf-8", "replace").replace("\0", "�")
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept
