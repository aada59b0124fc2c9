"""The load generator: HTTP/1.1 over kept connections, one request at a time on each, in a process of its own.

    python bench/load.py '{"port": 8080, "what": "event", "key": "ct_live_…", "seconds": 4, "connections": 64}'

Closed loop: every connection sends the next request when the answer is there. Open loop (`rate`): requests leave at
random moments of that mean rate, whatever the answers do. It prints what it found as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, cast

import uvloop

SUBJECTS = 10_000
FIELDS = ",".join(f'"field_{n}":"the reading of a meter, text of field {n:02}"' for n in range(14))


class Link(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self) -> None:
        self.buffer = b""
        self.done: asyncio.Future[int] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.buffer.lower().find(b"content-length:", 0, end)
        size = int(self.buffer[at + 15 : self.buffer.index(b"\r\n", at)]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + size:
            return
        status, self.body = int(self.buffer[9:12]), self.buffer[end + 4 :]
        self.buffer = b""
        if self.done is not None and not self.done.done():
            self.done.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.done is not None and not self.done.done():
            self.done.set_result(0)

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done


def event(number: int) -> str:
    """One event of 1 kB; its id says when it was made."""
    id = f"t{time.monotonic_ns()}x{number:09}"
    return (
        f'{{"event_id":"{id}","event_type":"bench.reading","data":{{"meter_id":"meter-{number % SUBJECTS}",'
        f'"value":{number % 97}.5,"unit":"kWh","read_at":"2026-03-01T08:00:00Z",{FIELDS}}}}}'
    )


def message(number: int) -> str:
    """One message of 1 kB in a sender's own form."""
    return f'{{"id":"m{time.monotonic_ns()}x{number:09}","type":"charge.succeeded","amount":{number % 97}.5,{FIELDS}}}'


def requests(plan: dict[str, Any]) -> Iterator[bytes]:
    """Requests without end. `what`: event, batch, hook or job."""
    keys = plan["keys"]
    start = random.getrandbits(40)
    number = 0
    while True:
        number += 1
        extra = ""
        if plan["what"] == "event":
            path, body = "/api/v1/events", event(number)
        elif plan["what"] == "batch":
            path = "/api/v1/events/batch"
            body = f'{{"events":[{",".join([event(number * 1000 + n) for n in range(1000)])}]}}'
        elif plan["what"] == "hook":
            path, body = plan["paths"][number % len(keys)], message(number)
            extra = f"X-Signature: {hmac.digest(plan['secret'].encode(), body.encode(), 'sha256').hex()}\r\n"
        else:
            path = "/api/v1/jobs"
            client = plan["clients"][number % len(plan["clients"])]
            extra = f"Idempotency-Key: {start}-{number}\r\n"
            body = (
                f'{{"client_id":"{client}","title":"Replace the geyser {number}","reference":"J-{number}",'
                f'"description":"{"The old one leaks. " * 30}","trade":"plumbing","priority":"high"}}'
            )
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {keys[number % len(keys)]}\r\n{extra}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield (head + body).encode()


class Load:
    """One run."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.idle: deque[Link] = deque()
        self.bad = b""

    async def link(self) -> Link:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Link, "127.0.0.1", self.plan["port"]))[1]

    async def send(self, link: Link, request: bytes) -> None:
        began = time.perf_counter()
        status = await link.ask(request)
        self.times.append(time.perf_counter() - began)
        self.statuses[status] += 1
        if not 200 <= status < 300:
            self.bad = link.buffer or getattr(link, "body", b"")

    async def closed(self) -> float:
        made = requests(self.plan)
        links = await asyncio.gather(*(self.link() for _ in range(self.plan["connections"])))
        began = time.perf_counter()
        until = began + self.plan["seconds"]

        async def work(link: Link) -> None:
            while time.perf_counter() < until and not link.lost:
                await self.send(link, next(made))

        await asyncio.gather(*(work(link) for link in links))
        return time.perf_counter() - began

    async def open(self) -> float:
        made = requests(self.plan)
        began = time.perf_counter()
        moment = began
        tasks = set()

        async def one() -> None:
            link = self.idle.pop() if self.idle else await self.link()
            while link.lost:  # it was idle for too long
                link = self.idle.pop() if self.idle else await self.link()
            await self.send(link, next(made))
            if not link.lost:
                self.idle.append(link)

        self.idle.extend(await asyncio.gather(*(self.link() for _ in range(16))))
        while moment < began + self.plan["seconds"]:
            moment += random.expovariate(self.plan["rate"])
            wait = moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        return time.perf_counter() - began


async def main() -> None:
    plan = json.loads(sys.argv[1])
    load = Load(plan)
    took = await (load.open() if "rate" in plan else load.closed())
    times = sorted(load.times)
    good = sum(count for status, count in load.statuses.items() if 200 <= status < 300)
    found = {
        "good": good,
        "bad": sum(load.statuses.values()) - good,
        "seconds": took,
        "rate": good / took,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
    }
    if load.bad:
        print(load.bad[:500], file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(main())
