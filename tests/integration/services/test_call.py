"""Calls that modules ask for: they wait for nobody inside a Unit, and hear of the outcome by an event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx2
import pytest

from crosstie.app import Process
from crosstie.errors import Invalid
from crosstie.services.remote import Call
from tests.fence import fence
from tests.integration.services.conftest import BUDGET, INVOICE, WHO, provide, until
from tests.parts.peer import Peer
from tests.stage import Tenant

EXPENSE = {"id": "p-1", "amount": 12.5, "currency": "ZAR"}


async def asked(process: Process, tenant: Tenant, operation: str, given: Mapping[str, Any], **more: Any) -> UUID:
    """What a module does in a Unit of its own."""
    async with process.log.unit(tenant.id, WHO, correlation_id="request-1", **more) as unit:
        row = await unit.request(operation, given, about=("opportunity", "o-1"))
    return UUID(str(row.id))


async def ended(client: httpx2.AsyncClient, id: UUID, *states: str) -> dict[str, Any]:
    """The call in one of these states."""

    async def look() -> Any:
        found = (await client.get(f"/api/v1/service-calls/{id}")).json()
        return found if found["status"] in states else None

    return dict(await until(look))


async def outcome(client: httpx2.AsyncClient, id: UUID) -> dict[str, Any]:
    """The newest event about a call."""
    await fence(client)
    events = (await client.get("/api/v1/events", params={"limit": 200})).json()
    listed = [each for each in events["data"] if each["subject"] == {"type": "service_call", "id": str(id)}]
    return dict(listed[0])


async def test_a_remote_service_is_asked_after_the_commit(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant
) -> None:
    trace = f"00-{'4b' * 16}-{'0f' * 8}-01"
    id = await asked(process, tenant, "treasury.create_invoice", INVOICE, trace=trace)
    found = await ended(client, id, "done")
    assert found["answer"]["invoice_number"] == "INV-1"
    assert [seen["headers"]["traceparent"] for seen in await treasury.seen()] == [trace]
    assert (found["provider"], found["attempts"]) == ("remote", 1)
    event = await outcome(client, id)
    assert (event["event_type"], event["correlation_id"]) == ("service_call.completed", "request-1")
    assert (event["data"]["about_type"], event["data"]["about_id"]) == ("opportunity", "o-1")
    assert event["data"]["answer"]["id"] == "made-1"


async def test_a_unit_that_fails_asks_nobody(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant
) -> None:
    with suppress(LookupError):
        async with process.log.unit(tenant.id, WHO) as unit:
            await unit.request("treasury.create_invoice", INVOICE)
            raise LookupError
    assert (await client.get("/api/v1/service-calls")).json()["data"] == []


async def test_what_breaks_the_contract_is_refused_at_once(process: Process, tenant: Tenant) -> None:
    with pytest.raises(Invalid):
        await asked(process, tenant, "treasury.create_invoice", {"customer_id": "c"})
    with pytest.raises(KeyError):
        await asked(process, tenant, "treasury.create_yacht", {})


async def test_a_contract_is_not_awaited_inside_a_unit(
    process: Process, client: httpx2.AsyncClient, remote: Peer, tenant: Tenant, projects: None
) -> None:
    await provide(client, remote, "inventory")
    for name, given in (("projects.get_budget", {"id": "p-1"}), ("inventory.get_stock", {"id": "i-1"})):
        async with process.log.unit(tenant.id, WHO):
            with pytest.raises(RuntimeError, match=r"unit\.request"):
                await process.log.ask(tenant.id, name, given, WHO)
        assert await process.log.ask(tenant.id, name, given, WHO)
    assert len(await remote.seen()) == 1


async def test_a_module_of_crosstie_is_asked_alike(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant, projects: None
) -> None:
    id = await asked(process, tenant, "projects.record_expense", EXPENSE)
    found = await ended(client, id, "done")
    assert (found["provider"], found["answer"]) == ("builtin", {"id": "e-1", "status": "recorded"})
    event = await outcome(client, id)
    assert (event["event_type"], event["correlation_id"]) == ("service_call.completed", "request-1")
    types = [each["event_type"] for each in (await client.get("/api/v1/events")).json()["data"]]
    assert types.count("projects.budget.updated") == 1


async def test_a_refusal_comes_back_as_an_event(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant, projects: None, treasury: Peer
) -> None:
    id = await asked(process, tenant, "projects.record_expense", EXPENSE | {"category": "yacht"})
    found = await ended(client, id, "failed")
    assert (found["problem"]["code"], found["problem"]["detail"]) == ("move_refused", "No yachts.")
    assert (await outcome(client, id))["event_type"] == "service_call.failed"
    await treasury.fail("422")
    id = await asked(process, tenant, "treasury.create_invoice", INVOICE)
    found = await ended(client, id, "failed")
    assert found["problem"]["code"] == "service_refused"
    # tried again by hand it gets a new key, for the old one stands for the refusal
    assert (await client.post(f"/api/v1/service-calls/{id}/retry", json={})).status_code == 200
    await ended(client, id, "done")
    first, second = await treasury.seen()
    assert first["headers"]["idempotency-key"] != second["headers"]["idempotency-key"]


async def test_the_gateway_asks_a_module_too(client: httpx2.AsyncClient, projects: None) -> None:
    answer = await client.get("/api/v1/projects/p-1/budget")
    assert (answer.status_code, answer.json()) == (200, BUDGET | {"project_id": "p-1"})
    headers = {"idempotency-key": "e"}
    body = {"amount": 12.5, "currency": "ZAR"}
    answer = await client.post("/api/v1/projects/p-1/expenses", json=body, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (201, "e-1")
    again = await client.post("/api/v1/projects/p-1/expenses", json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    refused = await client.post("/api/v1/projects/p-1/expenses", json=body | {"category": "yacht"})
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")


async def test_what_waits_is_done_when_the_service_is_back(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant
) -> None:
    await treasury.fail(usual="503")
    calls = [await asked(process, tenant, "treasury.create_invoice", INVOICE) for _ in range(20)]

    async def opened() -> Any:
        return (await client.get("/api/v1/service-providers/treasury")).json()["breaker"] == "open"

    await until(opened)
    await treasury.fail()
    for id in calls:
        await ended(client, id, "done")
    assert len(await treasury.made()) == 20
    # what was still under way when it healed may end in either way; whoever got through asked once
    assert [seen["fault"] for seen in await treasury.seen()].count("ok") == 20


async def test_nobody_provides_it_yet(
    process: Process, client: httpx2.AsyncClient, remote: Peer, tenant: Tenant
) -> None:
    id = await asked(process, tenant, "logistics.create_shipment", {"order_id": "o-1"})
    await remote.fail("404")
    await provide(client, remote, "logistics")
    found = await ended(client, id, "failed")
    assert found["problem"]["code"] == "not_found"


async def test_one_service_does_not_take_all_places(
    process: Process, client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosstie.services.caller.ABREAST", 2)
    await treasury.fail(usual="deaf")
    service, operation = process.log.catalogue.operation("treasury.find_invoice")
    found = await process.gateway.peers.find(tenant.id, "treasury")
    assert found is not None
    call = Call(found, service, operation, {"reference_type": "a", "reference_id": "b"}, None)
    outcomes = await asyncio.gather(*(process.gateway.caller.call(call) for _ in range(5)))
    assert sorted(outcome.code for outcome in outcomes) == ["service_resting"] * 3 + ["timeout"] * 2
    assert {outcome.requests for outcome in outcomes if outcome.code == "service_resting"} == {0}
