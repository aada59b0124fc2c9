"""A remote service as a program of its own: it keeps what it made by idempotency key, and fails as it is told.

    python -P tests/parts/peer.py PORT

`POST /-/faults` with `{"faults": ["500", "drip", …]}` sets what happens to the next requests, one each; an entry may be
    ok · 400 · 401 · 404 · 409 · 422 · 429:SECONDS · 500 · 502 · 503 · odd (a success that breaks the contract)
    slow:SECONDS · drip (a byte a second) · reset, garbage (after the work) · refuse (before any) · deaf (none)
`{"usual": "500"}` is what happens to all others. `GET /-/seen` tells of every request, and what was made.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

REASONS = {200: "OK", 201: "Created", 202: "Accepted"}


class Service:
    """The service itself."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.usual = "ok"
        self.seen: list[dict[str, Any]] = []
        self.made: dict[str, dict[str, Any]] = {}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in head[1:] if line}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                await self.answer(method, path, headers, json.loads(body) if body.startswith(b"{") else body, writer)
        writer.close()

    async def answer(
        self, method: str, path: str, headers: dict[str, str], body: Any, writer: asyncio.StreamWriter
    ) -> None:
        if path.startswith("/-/"):
            await self.controlled(path, body, writer)
            return
        if path == "/token":
            token = f"token-{len(self.seen)}"
            self.seen.append({"path": path, "at": time.time(), "headers": headers})
            await self.send(writer, 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600})
            return
        fault = self.faults.pop(0) if self.faults else self.usual
        seen = {"method": method, "path": path, "headers": headers, "at": time.time(), "fault": fault}
        self.seen.append(seen | {"body": body if isinstance(body, dict) else None})
        kind, _, number = fault.partition(":")
        if kind == "refuse":
            self.reset(writer)
            return
        if kind == "deaf":
            await asyncio.sleep(3600)
        if kind.isdigit():
            more = f"Retry-After: {number}\r\n" if number else ""
            await self.send(writer, int(kind), {"error": f"as told: {kind}"}, more)
            return
        status, document = self.work(method, path, headers, body)
        if kind == "odd":
            document = {"surprise": True}
        if kind == "slow":
            await asyncio.sleep(float(number))
        if kind == "reset":
            self.reset(writer)
            return
        await self.send(writer, status, document, drip=kind == "drip", broken=kind == "garbage")

    def work(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        """Make what is asked for, once per key; or read."""
        if method == "GET":
            return self.read(path)
        key = headers["idempotency-key"]
        if key not in self.made:
            number = len(self.made) + 1
            self.made[key] = {
                "id": f"made-{number}", "invoice_number": f"INV-{number}", "bill_number": f"BILL-{number}",
                "status": "sent", "total_amount": "10000.00", "currency": "KES", "amount": "10.00", **ABOUT,
                "given": body, "on_hand": 1, "available": 1, "reserved": 0,
            }  # fmt: skip
        return 201, self.made[key]

    def read(self, path: str) -> tuple[int, dict[str, Any]]:
        if "/by-reference/" in path:
            reference = path.rsplit("/", 1)[-1]
            found = [each for each in self.made.values() if each["given"].get("reference_id") == reference]
            return (200, found[0]) if found else (404, {"error": "there is no such invoice"})
        if path.endswith("/stock") or "/stock?" in path:
            return 200, {"item_id": path.split("/")[-2], "on_hand": 100 + len(self.seen), "available": 1, "reserved": 0}
        if "tax-codes" in path:
            return 200, {"tax_codes": [{"id": "t1", "code": "VAT16", "rate": "16"}], "total": 1}
        return 200, {"bank_accounts": [], "warehouses": [], "total": len(self.seen)}

    async def controlled(self, path: str, body: Any, writer: asyncio.StreamWriter) -> None:
        if path == "/-/faults":
            self.faults = list(body.get("faults", []))
            self.usual = body.get("usual", "ok")
        await self.send(writer, 200, {"seen": self.seen, "made": list(self.made.values())})

    async def send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        document: Any,
        more: str = "",
        *,
        drip: bool = False,
        broken: bool = False,
    ) -> None:
        body = json.dumps(document).encode()[: -1 if broken else None]
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'As Told')}\r\nContent-Type: application/json\r\n{more}"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for byte in data if drip else ():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
        if not drip:
            writer.write(data)
        await writer.drain()

    def reset(self, writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


ABOUT = {"reference_type": None, "reference_id": None}


@dataclass
class Peer:
    """The program, seen from a test."""

    port: int
    handle: subprocess.Popen[bytes] | None = None
    client: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=30, verify=False))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Run it; what it had made is gone."""
        self._run()
        for _ in range(600):
            with suppress(httpx2.HTTPError):
                await self.client.get(f"{self.url}/-/seen")
                return
            await asyncio.sleep(0.05)
        raise TimeoutError("the peer does not answer")

    def _run(self) -> None:
        command = [sys.executable, "-P", str(Path(__file__)), str(self.port)]
        self.handle = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it."""
        if self.handle is not None:
            self.handle.kill()
            self.handle.wait()
            self.handle = None

    async def fail(self, *faults: str, usual: str = "ok") -> None:
        """What happens to the next requests, and to all after them."""
        await self.client.post(f"{self.url}/-/faults", json={"faults": faults, "usual": usual})

    async def seen(self) -> list[dict[str, Any]]:
        """Every request so far."""
        return list((await self.client.get(f"{self.url}/-/seen")).json()["seen"])

    async def made(self) -> list[dict[str, Any]]:
        """Everything that was made."""
        return list((await self.client.get(f"{self.url}/-/seen")).json()["made"])


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A running remote service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Peer(port)
    await found.start()
    try:
        yield found
    finally:
        await found.client.aclose()
        found.stop()


async def main(port: int) -> None:
    """Serve until killed."""
    service = Service()
    server = await asyncio.start_server(service.connected, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
