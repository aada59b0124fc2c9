"""Bytes on a socket, as no client library would send them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from crosstie.kit import json

PROBLEM = "application/problem+json"


@dataclass
class Raw:
    """What came back on a connection, and whether the server ended it."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    @property
    def problem(self) -> dict[str, object]:
        """The problem that the answer must be."""
        assert self.headers["content-type"] == PROBLEM, self
        return dict(json.loads(self.body))


async def exchange(url: str, *pieces: bytes, pause: float = 0.0, seconds: float = 60) -> Raw:
    """Send the pieces on a new connection and read one answer. Raises TimeoutError where none comes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(seconds):
            sending = asyncio.create_task(_send(writer, pieces, pause))
            found = await _read(reader)
            sending.cancel()
            return found
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...], pause: float) -> None:
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass  # the server may have heard enough


async def _read(reader: asyncio.StreamReader) -> Raw:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Raw(0, {}, b"", closed=True)
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
    length = int(headers.get("content-length", "0"))
    body = await reader.readexactly(length)
    return Raw(int(re.split(" ", lines[0])[1]), headers, body, closed=headers.get("connection") == "close")
