"""Many readers of the live stream in a process of their own: raw sockets, frames counted by their heads.

    python bench/listeners.py '{"port": 8080, "keys": ["ct_live_…"], "clients": 500, "topics": ["*"]}'

Says `ready` once all have subscribed. On a line of input it prints how many events came, and the milliseconds from the
moment that an event was sent (it stands in the event's id) to the moment that its frame was read.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import sys
import time
from collections import Counter
from typing import cast

import uvloop

ages: list[int] = []
counted: Counter[str] = Counter()
MARK = b'"event_id":"t'


class Listener(asyncio.Protocol):
    """One connection."""

    def __init__(self, key: str, topic: str, exact: bool) -> None:
        self.key, self.topic, self.exact = key, topic, exact
        self.buffer = b""
        self.open = False
        self.subscribed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

        nonce = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /api/v1/stream HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {self.key}\r\n\r\n"
        )
        self.transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if not self.open:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.open, self.buffer = True, rest
            self.send(json.dumps({"action": "subscribe", "topics": [self.topic], "after": None}).encode())
        now, at, buffer = time.monotonic_ns(), 0, self.buffer
        while at + 10 <= len(buffer):
            size, start = buffer[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if start + size > len(buffer):
                break
            if not self.subscribed.done():
                self.subscribed.set_result(None)
            elif buffer[at] == 0x81:
                counted["events"] += 1
                if self.exact:
                    mark = buffer.index(MARK, start) + len(MARK)
                    ages.append(now - int(buffer[mark : buffer.index(b"x", mark)]))
            at = start + size
        self.buffer = buffer[at:]

    def send(self, body: bytes) -> None:
        """One masked text frame (a mask of zeros leaves it as it is)."""
        self.transport.write(bytes((0x81, 0x80 | 126)) + len(body).to_bytes(2, "big") + bytes(4) + body)


async def main() -> None:
    plan = json.loads(sys.argv[1])
    loop = asyncio.get_running_loop()
    keys, topics = plan["keys"], plan["topics"]
    for number in range(plan["clients"]):
        key, topic = keys[number % len(keys)], topics[number % len(topics)]
        _, listener = await loop.create_connection(
            lambda key=key, topic=topic, exact=number % plan["exact"] == 0: Listener(key, topic, exact),
            "127.0.0.1",
            plan["port"],
        )
        await listener.subscribed
    gc.freeze()
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        found = sorted(ages)
        at = {
            f"p{part}": found[min(len(found) - 1, len(found) * part // 100)] / 1e6 if found else 0
            for part in (50, 95, 99)
        }
        print(json.dumps({"count": counted["events"], "sampled": len(found), **at}), flush=True)
        ages.clear()
        counted.clear()


if __name__ == "__main__":
    uvloop.run(main())
