"""Posts per second and CPU per post of the webhook sender, beside bare clients that keep none of its promises.

    .venv/bin/python bench/sender.py [posts] [in flight]

One process sends 1 kB bodies, signed for each post, to a receiver in another process on the same machine, which
answers 204. Trust the ratios, and the CPU times more than the rates.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import aiohttp
import uvloop
from pyreqwest.client import ClientBuilder

from crosstie.deliver.sender import Request
from crosstie.deliver.wire import Wire
from crosstie.kit import webhook
from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver

BODY = b'{"data":"' + b"x" * 1013 + b'"}'
PLAIN = {"content-type": "application/json", "user-agent": "Crosstie"}
SIGNERS = [webhook.signer(webhook.generate())]
Send = Callable[[str], Awaitable[int | None]]


class Sink(asyncio.Protocol):
    """A receiver that answers 204 to whatever has a length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            at = self.data.lower().index(b"content-length:", 0, end)
            size = end + 4 + int(self.data[at + 15 : self.data.index(b"\r\n", at)])
            if len(self.data) < size:
                return
            self.data = self.data[size:]
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def sink() -> Iterator[str]:
    child = subprocess.Popen([sys.executable, __file__, "sink"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/hook"
    finally:
        child.kill()
        child.wait()


class Bare(asyncio.Protocol):
    """The upper limit: one connection, one post at a time, any answer will do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.answer: asyncio.Future[int] | None = None

    def data_received(self, data: bytes) -> None:
        if self.answer is not None:
            self.answer.set_result(int(data[9:12]))

    def post(self, headers: dict[str, str]) -> asyncio.Future[int]:
        self.answer = asyncio.get_running_loop().create_future()
        head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        self.transport.write(
            f"POST /hook HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
        )
        return self.answer


def headers() -> dict[str, str]:
    return PLAIN | webhook.headers(SIGNERS, "01998f2e-6b1c-7c43-9d8e-2f0a4b6c8d10", BODY)


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(send: Send, url: str, posts: int, flight: int) -> tuple[float, float]:
    """Posts per second, and microseconds of CPU for each."""
    turns = iter(range(posts))

    async def work() -> None:
        for _ in turns:
            assert await send(url) == 204

    await send(url)
    clock, cpu = time.perf_counter(), used()
    await asyncio.gather(*(work() for _ in range(flight)))
    return posts / (time.perf_counter() - clock), (used() - cpu) / posts * 1e6


async def compare(url: str, posts: int, flight: int) -> None:
    loop = asyncio.get_running_loop()
    port = int(url.rsplit(":", 1)[1].partition("/")[0])
    idle = [(await loop.create_connection(Bare, "127.0.0.1", port))[1] for _ in range(flight)]
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    client = ClientBuilder().no_proxy().follow_redirects(False).timeout(timedelta(seconds=15)).build()
    guard = Guard(["127.0.0.0/8"])
    resolver = Resolver(guard)
    wire = Wire(guard, resolver)

    async def bare(url: str) -> int:
        connection = idle.pop()
        status = await connection.post(headers())
        idle.append(connection)
        return status

    async def plain(url: str) -> int:
        async with session.post(url, data=BODY, headers=headers()) as response:
            await response.read()
            return response.status

    async def rust(url: str) -> int:
        response = await client.post(url).headers(headers()).body_bytes(BODY).build().send()
        await response.bytes()
        return response.status

    async def ours(url: str) -> int | None:
        return (await wire.send(Request(url, headers(), BODY))).status

    print(f"{posts} posts of 1 kB, {flight} in flight, one process; median of 3 interleaved rounds")
    variants: dict[str, Send] = {"bare protocol": bare, "pyreqwest, bare": rust, "aiohttp, bare": plain, "sender": ours}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for _ in range(3):
        for name, send in variants.items():
            results[name].append(await measure(send, url, posts, flight))
    reference = sorted(results["aiohttp, bare"])[1]
    for name, rounds in results.items():
        rate, cpu = sorted(rounds)[1]
        print(f"{name:18} {rate:8.0f}/s {cpu:6.1f} µs CPU {rate / reference[0]:6.2f} x aiohttp's rate")
    await asyncio.gather(session.close(), client.close(), wire.close(), resolver.close())


def main() -> None:
    if sys.argv[1:] == ["sink"]:
        uvloop.run(serve())
        return
    posts, flight = map(int, sys.argv[1:3] or (20_000, 64))
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with sink() as url:
        uvloop.run(compare(url, posts, flight))


if __name__ == "__main__":
    main()
