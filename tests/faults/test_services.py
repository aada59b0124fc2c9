"""Remote services that fail, hang, answer late or not at all, and processes that die while they are asked.

The service is a program of its own; two APIs and two workers ask it. What it made is counted there.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.faults.rig import Note, Rig
from tests.integration.services.conftest import INVOICE, provide, until
from tests.parts.peer import Peer, peer
from tests.stage import Tenant, calling

#: a busy machine may take long to start processes
pytestmark = pytest.mark.timeout(600)
#: short forms of CONTRACT §7's numbers, by settings
SHORT = {"SERVICE_TIMEOUT": "1", "SERVICE_FIRST_WAIT": "0.1", "SERVICE_REST": "6"}
WHERE = "/api/v1/service-providers/treasury"
Found = tuple[Tenant, list[httpx2.AsyncClient]]
Four = Callable[..., Awaitable[Found]]
READ = "/api/v1/treasury/invoices/by-reference/opportunity/o-1"
POST = "/api/v1/treasury/invoices"


@pytest.fixture
async def remote() -> AsyncIterator[Peer]:
    async with peer() as found:
        yield found


@pytest.fixture
async def four(rig: Rig) -> AsyncIterator[Four]:
    """Two APIs and two workers with some settings; a tenant, and a client of it for each API."""
    async with AsyncExitStack() as stack:

        async def start(**settings: str) -> Found:
            rig.settings = settings
            for name, role in (("api-1", "api"), ("api-2", "api"), ("worker-1", "worker"), ("worker-2", "worker")):
                rig.start(name, role)  # type: ignore[arg-type]
            await rig.ready()
            tenant = await rig.tenant()
            headers = {"authorization": f"Bearer {tenant.key}"}
            clients = [await stack.enter_async_context(calling(url, headers=headers)) for url in rig.urls()]
            return tenant, clients

        yield start


async def statuses(clients: list[httpx2.AsyncClient], count: int) -> list[int]:
    """So many reads at once, dealt out to all APIs."""
    answers = await asyncio.gather(*(clients[n % len(clients)].get(READ) for n in range(count)))
    return [answer.status_code for answer in answers]


UNTIL = "SELECT open_until FROM service_providers WHERE tenant_id = $1"


async def breaks(
    rig: Rig, remote: Peer, found: tuple[Tenant, list[httpx2.AsyncClient]], rest: float, note: Note
) -> None:
    """One breaker for two APIs: five failing calls open it, the sixth is not sent, one probe passes after the rest."""
    tenant, clients = found
    await provide(clients[0], remote, "treasury")
    await remote.fail(usual="503")
    for number in range(5):
        assert (await clients[number % 2].get(READ)).status_code == 503
    seen = await remote.seen()
    assert len(seen) == 20  # four requests each, and never a fifth
    opened = await rig.ask(UNTIL, tenant.id)
    assert set(await statuses(clients, 50)) == {503}
    # a second before the end of the rest nobody is let through
    await rig.until(f"SELECT clock_timestamp() > ({UNTIL}) - interval '1.5 seconds'", tenant.id, seconds=rest + 60)
    assert set(await statuses(clients, 50)) == {503}
    if await rig.ask(f"SELECT clock_timestamp() < ({UNTIL})", tenant.id):
        assert len(await remote.seen()) == 20
    # it still fails: of fifty callers at the end of the rest one is let through, once, and the rest begins anew
    await rig.until(f"SELECT clock_timestamp() > ({UNTIL})", tenant.id, seconds=rest + 60)
    assert set(await statuses(clients, 50)) == {503}
    assert len(await remote.seen()) == 21
    probed = (await remote.seen())[-1]["at"]
    assert probed - seen[-1]["at"] >= rest
    note("seconds from the fifth failure to the probe", round(probed - seen[-1]["at"], 2))
    again = await rig.ask(UNTIL, tenant.id)
    assert (again - opened).total_seconds() >= rest
    # it is well: the next probe closes it for all
    await remote.fail(usual="404")
    await rig.until(f"SELECT clock_timestamp() > ({UNTIL})", tenant.id, seconds=rest + 60)
    await statuses(clients, 50)
    assert (await clients[1].get(WHERE)).json()["breaker"] == "closed"
    await asyncio.sleep(1)  # each API looks again within a second
    assert await statuses(clients, 20) == [404] * 20


async def test_one_breaker_for_all(rig: Rig, four: Four, remote: Peer, note: Note) -> None:
    # a rest in which fifty callers are surely answered, also where the machine is busy
    await breaks(rig, remote, await four(**SHORT | {"SERVICE_REST": "20"}), 20, note)


@pytest.mark.proof
async def test_the_numbers_of_the_guide(rig: Rig, four: Four, remote: Peer, note: Note) -> None:
    """10 s, 1-2-4 s, four calls, five failures, 60 s: with the settings as they are."""
    await breaks(rig, remote, await four(), 60, note)
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise((await remote.seen())[:4])]
    note("seconds between the requests of a call", [round(gap, 2) for gap in gaps])
    assert [round(gap) for gap in gaps] == [1, 2, 4]


@pytest.mark.proof
async def test_the_longest_wait(four: Four, remote: Peer, note: Note) -> None:
    """With eight retries the waits are 1, 2, 4, 8, 16, 30, 30 and 30 s."""
    _, clients = await four(SERVICE_RETRIES="8")
    await provide(clients[0], remote, "treasury")
    await remote.fail(usual="503")
    headers = {"authorization": clients[0].headers["authorization"]}
    async with calling(str(clients[0].base_url), headers=headers, timeout=300) as patient:
        assert (await patient.get(READ)).status_code == 503
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise(await remote.seen())]
    note("seconds between the requests of a call", [round(gap, 2) for gap in gaps])
    assert [round(gap) for gap in gaps] == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.proof
async def test_a_drip_is_cut_after_ten_seconds(four: Four, remote: Peer, note: Note) -> None:
    _, clients = await four(SERVICE_RETRIES="0")
    await provide(clients[0], remote, "treasury")
    for fault in ("drip", "deaf"):
        await remote.fail(fault)
        began = time.monotonic()
        assert (await clients[0].get(READ)).status_code == 503
        took = time.monotonic() - began
        note(f"seconds until a {fault} was cut", round(took, 2))
        assert took >= 9.5


async def done(clients: list[httpx2.AsyncClient], where: str) -> dict[str, Any]:
    """The operation at its end; whichever API lives is asked."""

    async def look() -> Any:
        for client in clients:
            try:
                found = (await client.get(where)).json()
            except httpx2.HTTPError:
                continue
            if found.get("status") in ("done", "failed"):
                return found
        return None

    return dict(await until(look, 200))


async def test_a_worker_that_dies_while_it_asks(rig: Rig, four: Four, remote: Peer) -> None:
    """What it had sent is found out by the other: nothing is made twice."""
    _, clients = await four(**SHORT | {"SERVICE_TIMEOUT": "8"})
    await provide(clients[0], remote, "treasury")
    await remote.fail(*["503"] * 4, *["slow:6"] * 20)
    expense = {"description": "Taxi", "amount": 12, "currency": "KES"}
    answer = await clients[0].post("/api/v1/treasury/expenses", json=expense)
    assert answer.status_code == 202

    async def under_way() -> Any:
        return len(await remote.seen()) == 5

    await until(under_way)
    for name in ("worker-1", "worker-2"):
        rig.signal(name, signal.SIGKILL)
    rig.start("worker-3", "worker")
    operation = await done(clients, answer.headers["location"])
    assert operation["status"] == "done"
    assert len(await remote.made()) == 1
    assert len({each["headers"]["idempotency-key"] for each in await remote.seen()}) == 1
    assert len(await remote.seen()) >= 6


async def test_an_api_that_dies_while_it_asks(rig: Rig, four: Four, remote: Peer) -> None:
    """The caller's repeat at another API finds the call; what was sent is found out, and nothing is made twice."""
    _, clients = await four(**SHORT | {"SERVICE_TIMEOUT": "5", "SERVICE_RETRIES": "0"})
    await provide(clients[0], remote, "treasury")
    await remote.fail("slow:4")
    headers = {"idempotency-key": "once"}
    first = asyncio.create_task(clients[0].post(POST, json=INVOICE, headers=headers))

    async def under_way() -> Any:
        return len(await remote.seen()) == 1

    await until(under_way)
    rig.signal("api-1", signal.SIGKILL)
    with pytest.raises(httpx2.HTTPError):
        await first
    answer = await clients[1].post(POST, json=INVOICE, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")

    async def accepted() -> Any:
        found = await clients[1].post(POST, json=INVOICE, headers=headers)
        return found if found.status_code != 409 else None

    answer = await until(accepted, 200)
    assert answer.status_code == 202, answer.text
    operation = await done(clients[1:], answer.headers["location"])
    assert operation["result"]["invoice_number"] == "INV-1"
    assert len(await remote.made()) == 1


async def test_all_at_once(rig: Rig, four: Four, remote: Peer, note: Note) -> None:
    """The service fails in every way and vanishes, a worker and the database die: all is done, nothing twice."""
    tenant, clients = await four(**SHORT)
    await provide(clients[0], remote, "treasury")
    ways = ["reset", "500", "ok", "slow:2", "refuse", "429:0", "drip", "503", "ok", "502"] * 12
    await remote.fail(*ways)
    sent: set[str] = set()

    async def caller(number: int) -> None:
        """A caller that gives in to nothing: the same key until there is an answer."""
        headers = {"idempotency-key": f"k-{number}"}
        reference = f"o-{number}"
        body = INVOICE | {"reference_id": reference}
        while True:
            try:
                answer = await clients[number % 2].post(POST, json=body, headers=headers)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code in (201, 202):
                break
            await asyncio.sleep(0.5)
        if answer.status_code == 202:
            assert (await done(clients, answer.headers["location"]))["status"] == "done"
        sent.add(reference)

    callers = [asyncio.create_task(caller(number)) for number in range(40)]
    await asyncio.sleep(3)
    assert remote.handle is not None
    remote.handle.send_signal(signal.SIGSTOP)  # partitioned: it neither answers nor refuses
    await rig.crash("worker-1")
    await rig.crash_database("immediate")
    remote.handle.send_signal(signal.SIGCONT)
    healed = time.monotonic()
    await asyncio.gather(*callers)
    await rig.drained([tenant], 200)
    note("seconds from healing to the last call", round(time.monotonic() - healed, 1))
    made = [each["given"]["reference_id"] for each in await remote.made()]
    assert sorted(made) == sorted(sent)
    assert len(made) == 40
