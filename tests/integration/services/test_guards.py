"""What keeps calls from doing harm where something changes meanwhile, comes late or comes twice."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from crosstie.app import Process
from crosstie.errors import ServiceUnavailable, ServiceUnconfigured
from crosstie.kit.egress import Guard
from crosstie.kit.http import Client
from crosstie.kit.resolver import Resolver
from crosstie.log.call import Wish
from crosstie.log.timed import Timed
from crosstie.services.peer import Peer as Known
from crosstie.services.remote import Call, Pace, Remote
from tests.fence import fence
from tests.integration.services.conftest import INVOICE, WHO, provide, until
from tests.parts.peer import Peer, peer
from tests.stage import Stage, Tenant

PATH, WHERE = "/api/v1/treasury/invoices", "/api/v1/service-providers/treasury"
READ = "/api/v1/treasury/invoices/by-reference/a/b"


async def looked(process: Process, tenant: Tenant, service: str = "treasury") -> Known:
    """A provider as a process knows it at this moment."""
    found = await process.gateway.peers.find(tenant.id, service)
    assert found is not None
    return found


def reading(process: Process, known: Known, name: str = "treasury.find_invoice") -> Call:
    service, operation = process.log.catalogue.operation(name)
    return Call(known, service, operation, {"reference_type": "a", "reference_id": "b"}, None)


async def test_a_key_that_got_no_answer_stands_for_its_change_alone(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail(*["503"] * 4)
    payment = {"reference_type": "invoice", "reference_id": "i", "amount": 5, "currency": "KES", "payment_method": "x"}
    headers = {"idempotency-key": "p"}
    where = "/api/v1/treasury/payments"
    assert (await client.post(where, json=payment, headers=headers)).status_code == 503
    other = await client.post(where, json=payment | {"amount": 6}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await treasury.seen()) == 4
    assert (await client.post(where, json=payment, headers=headers)).status_code == 201


async def test_a_fault_of_the_service_stands_for_nothing(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail("401")
    headers = {"idempotency-key": "f"}
    assert (await client.post(PATH, json=INVOICE, headers=headers)).status_code == 502
    assert (await client.post(PATH, json=INVOICE, headers=headers)).status_code == 201


async def overtaken(process: Process, stage: Stage, tenant: Tenant) -> None:
    """The lease of a tenant's calls is over, and the worker looks after them."""
    boss = await stage.superuser()
    await boss.execute("UPDATE service_calls SET lease_until = now() - interval '1 s' WHERE tenant_id = $1", tenant.id)
    await boss.close()
    await Timed(process.log).sweep(tenant.id)


@pytest.mark.parametrize("known", [True, False], ids=["the worker was faster", "the worker is at it"])
async def test_an_answer_that_comes_when_the_worker_has_the_call(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant, stage: Stage, known: bool
) -> None:
    """Its lease is over, and what came of it is found out by the worker: the caller gets that, or where to look."""
    await treasury.fail("slow:0.8", *["503"] * (0 if known else 4))
    asking = asyncio.create_task(client.post(PATH, json=INVOICE))
    await until(treasury.seen)
    await overtaken(process, stage, tenant)
    answer = await asking
    if answer.status_code == 202:

        async def done() -> Any:
            found = (await client.get(answer.headers["location"])).json()
            return found if found["status"] == "done" else None

        assert (await until(done))["result"]["invoice_number"] == "INV-1"
    else:
        assert (answer.status_code, answer.json()["invoice_number"]) == (201, "INV-1")
    assert len(await treasury.made()) == 1


async def test_a_refusal_that_the_worker_heard_first(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant, stage: Stage
) -> None:
    """The operation that the caller is told of is over."""
    expense = {"description": "Taxi", "amount": "15.50", "currency": "KES"}
    await treasury.fail("slow:0.9", "422")
    asking = asyncio.create_task(client.post("/api/v1/treasury/expenses", json=expense))
    await until(treasury.seen)
    await overtaken(process, stage, tenant)
    answer = await asking
    assert answer.status_code == 202, answer.text

    async def over() -> Any:
        found = (await client.get(answer.headers["location"])).json()
        return found if found["status"] not in ("queued", "running") else None

    assert (await until(over))["problem"]["code"] == "service_refused"


async def test_code_reads_and_does_not_change(
    process: Process,
    client: httpx2.AsyncClient,
    treasury: Peer,
    tenant: Tenant,
) -> None:
    with pytest.raises(RuntimeError, match=r"unit\.request"):
        await process.log.ask(tenant.id, "treasury.create_invoice", INVOICE, WHO)
    with pytest.raises(ServiceUnconfigured):
        await process.log.ask(tenant.id, "inventory.list_warehouses", {}, WHO)
    async with process.log.unit(tenant.id, WHO):
        known = await looked(process, tenant)
        with pytest.raises(RuntimeError, match=r"unit\.request"):
            await process.gateway.caller.call(reading(process, known))
    assert await treasury.seen() == []


async def test_a_provider_that_was_taken_away_meanwhile(
    process: Process,
    tenant: Tenant,
    projects: None,
) -> None:
    service, operation = process.log.catalogue.operation("projects.get_budget")
    with pytest.raises(ServiceUnavailable):
        await process.gateway.read(Wish(tenant.id, WHO, service, operation, {"id": "p-1"}))


async def test_a_place_is_given_back(
    process: Process,
    treasury: Peer,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crosstie.services.caller.ABREAST", 1)
    call = reading(process, await looked(process, tenant), "treasury.list_tax_codes")
    assert [(await process.gateway.caller.call(call)).code for _ in range(3)] == [""] * 3


async def test_places_that_are_taken_are_remembered(
    process: Process,
    client: httpx2.AsyncClient,
    treasury: Peer,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many peers are called meanwhile, one that has no place left gets no further call."""
    monkeypatch.setattr("crosstie.services.caller.ABREAST", 1)
    monkeypatch.setattr("crosstie.services.caller.MOST", 1)
    async with peer() as other:
        await provide(client, other, "inventory")
        full, further = await looked(process, tenant), await looked(process, tenant, "inventory")
        await treasury.fail(usual="deaf")
        first = asyncio.create_task(process.gateway.caller.call(reading(process, full)))
        await until(treasury.seen)
        warehouses = process.log.catalogue.operation("inventory.list_warehouses")
        await process.gateway.caller.call(Call(further, *warehouses, {}, None))
        assert (await process.gateway.caller.call(reading(process, full))).code == "service_resting"
        await first


async def test_what_is_late_says_nothing_of_the_next_provider(
    process: Process,
    client: httpx2.AsyncClient,
    treasury: Peer,
    tenant: Tenant,
) -> None:
    """Calls of the former provider that end after the change count for nothing, neither against nor for the new one."""
    former = await looked(process, tenant)
    async with peer() as other:
        await provide(client, other, "treasury")
        await treasury.fail(usual="503")
        assert (await process.gateway.caller.call(reading(process, former))).code == "http_503"
        assert (await client.get(WHERE)).json()["failures"] == 0
        await other.fail(usual="503")
        for _ in range(5):
            assert (await client.get(READ)).status_code == 503
        await treasury.fail()
        late = reading(process, former, "treasury.list_tax_codes")
        assert (await process.gateway.caller.call(late)).code == ""
        assert (await client.get(WHERE)).json()["breaker"] == "open"


async def test_failures_of_calls_that_had_begun_do_not_lengthen_the_rest(
    process: Process,
    client: httpx2.AsyncClient,
    treasury: Peer,
    tenant: Tenant,
) -> None:
    before = await looked(process, tenant)
    await treasury.fail(usual="503")
    for _ in range(5):
        await client.get(READ)
    until_then = (await client.get(WHERE)).json()["open_until"]
    await process.gateway.caller.call(reading(process, before))
    assert (await client.get(WHERE)).json()["open_until"] == until_then
    await fence(client)
    events = (await client.get("/api/v1/events", params={"event_type": "service_provider.opened"})).json()["data"]
    assert len(events) == 1


async def test_a_redirection_leads_nowhere(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail("302")
    answer = await client.get(READ)
    assert (answer.status_code, len(await treasury.seen())) == (503, 1)


async def test_a_service_that_fails_for_long_is_tried_less(
    process: Process,
    treasury: Peer,
    tenant: Tenant,
) -> None:
    """The budget of its tries is used up: a call is then one request."""
    guard = Guard(("127.0.0.0/8",))
    resolver = Resolver(guard)
    client = Client(guard, resolver)
    remote = Remote(client, Pace(5.0, 0.001, 0.001, 3))
    await treasury.fail(usual="503")
    call = reading(process, await looked(process, tenant))
    try:
        sent = [(await remote.call(call)).requests for _ in range(60)]
    finally:
        await client.close()
        await resolver.close()
    assert sent[:5] == [4] * 5
    assert 1 in sent


async def test_one_tenants_trouble_keeps_no_other_tenants_calls_waiting(process: Process, stage: Stage) -> None:
    """The database refuses whatever is done about the first tenant's call; the second's, which is due too, is moved."""
    boss = await stage.superuser()
    odd, next = await stage.tenant(), await stage.tenant()
    async with peer() as remote, odd.client() as first, next.client() as second:
        for client in (first, second):
            await provide(client, remote, "treasury")
            assert (await client.post(PATH, json=INVOICE)).status_code == 201
        await boss.execute(
            "UPDATE service_calls SET status = 'running', lease_until = now() - interval '1 s', finished_at = NULL"
            " WHERE tenant_id = ANY ($1)",
            [odd.id, next.id],
        )
        await boss.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            f"CREATE TRIGGER refuse BEFORE UPDATE ON service_calls FOR EACH ROW WHEN (OLD.tenant_id = '{odd.id}')"
            " EXECUTE FUNCTION refuse()"
        )
        rounds = asyncio.create_task(Timed(process.log, every=0.1).run())
        try:

            async def moved() -> Any:
                (call,) = (await second.get("/api/v1/service-calls")).json()["data"]
                return call["status"] != "running"

            await until(moved)
            (call,) = (await first.get("/api/v1/service-calls")).json()["data"]
            assert call["status"] == "running"
        finally:
            rounds.cancel()
            await boss.execute("DROP FUNCTION refuse CASCADE")
            await boss.execute("DELETE FROM service_calls WHERE tenant_id = $1", odd.id)
            await boss.close()
