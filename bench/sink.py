"""A receiver of webhooks that answers 204, at once or after some seconds, and notes how old each webhook was.

The moment of sending stands in its webhook-id.

python bench/sink.py [seconds]      prints its port; `report` on its input prints what came since the last time, as JSON
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import cast

import uvloop

WAIT = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
ages: list[int] = []


class Receiver(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data = self.data + data if self.data else data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.index(b"content-length:")
            size = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.data) < size:
                return
            at = head.find(b"webhook-id: t")
            made = int(head[at + 13 : head.index(b"x", at + 13)]) if at >= 0 else time.monotonic_ns()
            ages.append(time.monotonic_ns() - made)
            self.data = self.data[size:]
            if WAIT:
                asyncio.get_running_loop().call_later(WAIT, self.answer)
            else:
                self.answer()

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def report() -> dict[str, float]:
    found = sorted(ages)
    ages.clear()
    count = len(found)
    if not count:
        return {"count": 0, "p50": 0, "p99": 0}
    return {"count": count, "p50": found[count // 2] / 1e6, "p99": found[count * 99 // 100] / 1e6}


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "report":
            print(json.dumps(report()), flush=True)


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(main())
