"""A webhook receiver of our own: a real HTTP server in a thread, that answers as it is told and keeps what it got."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

Answering = Callable[["Received"], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    number: int

    @property
    def envelope(self) -> dict[str, Any]:
        """The event."""
        return dict(msgspec.json.decode(self.body))


@dataclass
class Receiver:
    """Keeps what came, in order; `answer` may be replaced at any time."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answer: Answering = lambda received: web.Response(status=204)

    def of(self, event_type: str, path: str | None = None) -> list[Received]:
        """What came of one type."""
        return [
            r for r in list(self.got) if (path is None or r.path == path) and r.envelope["event_type"] == event_type
        ]

    async def wait(self, count: int, event_type: str | None = None, seconds: float = 60) -> list[Received]:
        """What came, once it is at least so many (of a type). Raises TimeoutError with what there is."""
        for _ in range(int(seconds * 50)):
            found = self.of(event_type) if event_type else list(self.got)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
        raise TimeoutError(f"got {len(found)} of {count}: {[r.envelope['event_type'] for r in self.got]}")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, headers, body, len(receiver.got) + 1)
        receiver.got.append(received)
        answer = receiver.answer(received)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def run() -> None:
        app = web.Application(client_max_size=32 << 20)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # answers that are still being thought about
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
