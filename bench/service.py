"""A call of a remote service with all that goes with it, against the bare HTTP client: time of one call.

    .venv/bin/python bench/service.py [--quick]

The service is a program of its own that answers at once, so that every microsecond of ours shows: a real one takes
milliseconds more. Both sides send the same document over kept connections, in turns. `at the gateway` adds what callers
of the API get beside: the call's row before and after it, the stored answer of their Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import cast

import child
import httpx2
import stand
from stand import EVERYTHING, Figure, Stand

from crosstie.app import Process, opened
from crosstie.declare.service import Operation, Service
from crosstie.kit import json as kit
from crosstie.log import change
from crosstie.log.call import Wish
from crosstie.log.idempotency import Key
from crosstie.services.provider import PROVIDERS
from crosstie.services.remote import Call

ANSWER = json.dumps(
    {"id": "i-1", "invoice_number": "INV-1", "total_amount": "100.00", "currency": "ZAR", "status": "sent"}
).encode()
HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n".encode()
GIVEN = {"customer_id": "c", "currency": "ZAR", "lines": [{"description": "x", "quantity": 1, "unit_price": 100}]}
Turn = Callable[[], Awaitable[object]]


class Remote(asyncio.Protocol):
    """A service that answers every request alike."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            at = self.data.lower().find(b"content-length:", 0, end)
            size = end + 4 + (int(self.data[at + 15 : self.data.index(b"\r\n", at)]) if at >= 0 else 0)
            if len(self.data) < size:
                return
            self.data = self.data[size:]
            self.transport.write(HEAD + ANSWER)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Remote, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def remote() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


async def cost(work: Turn, flight: int, seconds: float) -> float:
    """Microseconds of one call, with so many at once."""
    end = time.perf_counter() + seconds
    count = 0

    async def go() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await work()
            count += 1

    await work()
    began = time.perf_counter()
    await asyncio.gather(*(go() for _ in range(flight)))
    return (time.perf_counter() - began) / count * 1e6


async def compared(turns: dict[str, Turn], flight: int) -> dict[str, float]:
    """The median cost of each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(2 if stand.QUICK else 5):
        for name, turn in turns.items():
            found[name].append(await cost(turn, flight, stand.seconds(3)))
    return {name: statistics.median(each) for name, each in found.items()}


async def turns_of(process: Process, tenant: stand.Tenant, url: str, client: httpx2.AsyncClient) -> dict[str, Turn]:
    gateway = process.gateway
    service, posted = process.log.catalogue.operation("treasury.create_invoice")
    _, read = process.log.catalogue.operation("treasury.find_invoice")
    about = {"reference_type": "job", "reference_id": "j-1"}
    body = kit.dumps(GIVEN)
    headers = {"content-type": "application/json", "authorization": "Bearer s"}

    async def asked(operation: Operation, given: dict[str, object], key: str | None) -> None:
        peer = await gateway.peers.find(tenant.id, service.name)
        assert peer is not None
        outcome = await gateway.caller.call(Call(peer, service, operation, given, key))
        assert not outcome.code, outcome.words

    async def bare_get() -> None:
        answer = await client.get(f"{url}/api/v1/treasury/invoices/by-reference/job/j-1", headers=headers)
        assert answer.status_code == 200

    async def bare_post() -> None:
        key = {"idempotency-key": secrets.token_hex(16)}
        answer = await client.post(f"{url}/api/v1/treasury/invoices", content=body, headers=headers | key)
        assert answer.status_code == 200

    return {
        "bare GET": bare_get,
        "GET": lambda: asked(read, about, None),
        "bare POST": bare_post,
        "POST": lambda: asked(posted, GIVEN, secrets.token_hex(16)),
        "gateway": lambda: at_gateway(process, tenant, service, posted),
    }


async def at_gateway(process: Process, tenant: stand.Tenant, service: Service, operation: Operation) -> None:
    key = Key.of(EVERYTHING, secrets.token_hex(16), "POST /", b"")

    def refused(problem: Exception) -> None:
        raise problem

    await process.gateway.change(Wish(tenant.id, EVERYTHING, service, operation, GIVEN), key, refused)


async def measure(here: Stand) -> list[Figure]:
    tenant = await here.tenant()
    figures = []
    with remote() as url:
        async with (
            opened(child.settings(here.home, here.port), here.dsns, work=False, name="bench") as process,
            httpx2.AsyncClient(verify=False, limits=httpx2.Limits(max_connections=None)) as client,
        ):
            async with process.log.unit(tenant.id, EVERYTHING) as unit:
                body = {"mode": "remote", "base_url": url, "auth": {"type": "bearer", "secret": "s"}}
                await change.put(unit, PROVIDERS, "treasury", PROVIDERS.creation.decode(body))
            turns = await turns_of(process, tenant, url, client)
            for flight in (1, 16):
                found = await compared(turns, flight)
                beside = f"{flight} at once; bare {{:.0f}} µs, ours {{:.0f}} µs"
                for verb in ("GET", "POST"):
                    bare, ours = found[f"bare {verb}"], found[verb]
                    figures.append(
                        Figure(f"remote call, {verb}, {flight} at once", ours / bare, 1.3, 1.0, "x",
                               beside.format(bare, ours))
                    )  # fmt: skip
                ratio = found["gateway"] / found["bare POST"]
                words = f"{found['gateway']:.0f} µs with the call's row and the stored answer: two commits"
                figures.append(Figure(f"change at the gateway, {flight} at once", ratio, 10, 4, "x", words))
    return figures


if __name__ == "__main__":
    if "serve" in sys.argv:
        asyncio.run(serve())
    else:
        stand.main(measure)
