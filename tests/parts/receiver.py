"""Receivers of webhooks on loopback that do exactly what a script says, byte for byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Peer:
    """One connection, seen from the receiver."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Receiver) -> None:
        self.reader = reader
        self.writer = writer
        self._seen = seen

    async def request(self) -> bytes:
        """The next whole request, head and body; IncompleteReadError when the sender hangs up."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        whole = head + await self.reader.readexactly(length)
        self._seen.requests.append(whole)
        self._seen.news.set()
        return whole

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Hang up with RST instead of FIN."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Receiver:
    """What has arrived: number of connections, and every whole request."""

    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"

    async def arrived(self, number: int) -> None:
        """Wait until so many requests have arrived."""
        while len(self.requests) < number:
            self.news.clear()
            await self.news.wait()

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def receiver(
    script: Script, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    seen = Receiver(scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            await script(Peer(reader, writer, seen))
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls, backlog=1024)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


@asynccontextmanager
async def tripwires(*hosts: str, port: int = 0) -> AsyncIterator[list[Receiver]]:
    """Receivers that nobody may ever reach, all on one port; fails when one was reached."""
    async with AsyncExitStack() as stack:
        wires: list[Receiver] = []
        for host in hosts:
            wires.append(await stack.enter_async_context(receiver(answer(NO_CONTENT), host, port)))
            port = wires[0].port
        yield wires
        await asyncio.sleep(0.05)
        assert [wire.connections for wire in wires] == [0] * len(wires)


def answer(*answers: bytes) -> Script:
    """Keep the connection and answer each request, the last answer again and again."""

    async def script(peer: Peer) -> None:
        turn = 0
        while True:
            await peer.request()
            await peer.write(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


def once(data: bytes) -> Script:
    """Answer one request, then hang up."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(data)

    return script


def reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    """A plain answer of HTTP/1.1."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
