"""What follows from an ERP's event at another service: once, whatever happens, and only where the tenant has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from crosstie.contracts.erp import EVENTS
from crosstie.contracts.services import SERVICES
from crosstie.kit import ids
from crosstie.sandbox.back import Target
from tests.fence import fence
from tests.parts.outside import KEY, Outside, standing
from tests.stage import Tenant

EXAMPLES = {event.name: event.example for event in EVENTS}
#: event, more of its data, operation, how often, what for
CHAINS: tuple[tuple[str, dict[str, Any], str, int, str | None], ...] = (
    ("erp.opportunity.won", {}, "treasury.create_invoice", 1, "opportunity opportunity-uuid"),
    ("erp.purchase_order.received", {}, "treasury.create_bill", 1, "purchase_order purchase_order-uuid"),
    (
        "erp.purchase_order.received",
        {"lines": [{"item_id": "item-uuid", "quantity": 5}, {"sku": "NEW", "quantity": 2}]},
        "inventory.record_movement", 2, None,
    ),
    ("erp.payroll.processed", {}, "treasury.create_payment", 1, "payroll payroll-uuid Payroll 2024-12"),
    (
        "erp.payroll.processed",
        {"currency": None, "lines": [{"employee_id": f"e-{n}", "amount": 5000} for n in range(10)]},
        "treasury.create_payment", 10, None,
    ),
    (
        "erp.payroll.processed",
        {"lines": [{"employee_id": "e", "amount": 49000.1}, {"employee_id": "e", "amount": "999.80"}, {"amount": 0.1}]},
        "treasury.create_payment", 3, None,
    ),
    ("erp.expense.approved", {}, "treasury.record_expense", 1, "expense expense-uuid"),
    ("erp.expense_claim.approved", {"currency": None}, "treasury.record_expense", 1, "expense expense-uuid"),
    (
        "erp.order.created", {"lines": [{"sku": "PIPE-22", "quantity": 2}]},
        "inventory.create_reservation", 1, "order-uuid",
    ),
    ("erp.work_order.started", {}, "inventory.record_movement", 1, "work_order work_order-uuid item-uuid"),
    ("erp.work_order.completed", {}, "inventory.record_movement", 1, "work_order work_order-uuid product-uuid"),
    ("erp.order.fulfilled", {}, "logistics.create_shipment", 1, "order-uuid"),
    ("erp.expense.created", {}, "projects.record_expense", 1, "expense-uuid"),
)  # fmt: skip


@pytest.fixture
def outside() -> Iterator[Outside]:
    with standing() as found:
        yield found


async def connect(client: httpx2.AsyncClient, outside: Outside, service: str, **auth: str) -> None:
    """Make the sandbox the provider of a service."""
    shown = {"type": "api_key", "secret": KEY} | auth
    wanted = {"mode": "remote", "base_url": outside.url, "auth": shown}
    answer = await client.put(f"/api/v1/service-providers/{service}", json=wanted)
    assert answer.status_code == 201, answer.text


async def tell(client: httpx2.AsyncClient, event_type: str, **more: Any) -> str:
    """Have the ERP tell of something; the event's id."""
    id = str(ids.uuid7())
    data = {key: value for key, value in (EXAMPLES[event_type] | more).items() if value is not None}
    answer = await client.post("/api/v1/events", json={"event_id": id, "event_type": event_type, "data": data})
    assert answer.status_code == 202, answer.text
    return id


async def until(true: Any, seconds: float = 90) -> Any:
    """What `true` answers, once that is something."""
    for _ in range(int(seconds * 10)):
        if found := await asyncio.to_thread(true):
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError


@pytest.mark.parametrize(("event", "more", "operation", "times", "about"), CHAINS)
async def test_an_event_has_its_effect(
    outside: Outside,
    client: httpx2.AsyncClient,
    event: str,
    more: dict[str, Any],
    operation: str,
    times: int,
    about: str | None,
) -> None:
    more = {"warehouse_id": None, **more}
    await connect(client, outside, operation.partition(".")[0])
    await tell(client, event, **more)
    await until(lambda: outside.effects(operation, about) == times)
    assert {each["status"] for each in outside.listed("requests")} == {SERVICES["treasury"].operations[0].status}
    (done,) = {each["count"] for each in outside.listed("effects")}
    assert done == 1


@pytest.mark.parametrize("kind", ["bearer", "basic", "oauth2"])
async def test_every_kind_of_credential_leads_in(outside: Outside, client: httpx2.AsyncClient, kind: str) -> None:
    more = {"basic": {"username": "crosstie"}, "oauth2": {"token_url": f"{outside.url}/oauth/token"}}.get(kind, {})
    more |= {"client_id": "crosstie"} if kind == "oauth2" else {}
    await connect(client, outside, "treasury", type=kind, **more)
    await tell(client, "erp.expense.approved")
    await until(lambda: outside.effects("treasury.record_expense"))
    assert [each["status"] for each in outside.listed("requests")] == [201]


async def test_a_treasury_that_fails_twice_makes_one_invoice_and_tells_of_it(
    outside: Outside, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    outside.target = Target(tenant.url, tenant.key)
    await connect(client, outside, "treasury")
    outside.fault("treasury.create_invoice", "status", status=503, times=2)
    won = await tell(client, "erp.opportunity.won")
    await until(lambda: outside.effects("treasury.create_invoice"))
    requests = outside.listed("requests")
    assert [each["status"] for each in requests] == [201, 503, 503]
    assert len({each["key"] for each in requests}) == 1
    await until(lambda: [each["state"] for each in outside.listed("events")] == ["heard"])
    await fence(client)
    told = (await client.get("/api/v1/events", params={"event_type": "treasury.invoice.created"})).json()["data"]
    assert [each["data"]["opportunity_id"] for each in told] == ["opportunity-uuid"]
    (call,) = (await client.get("/api/v1/service-calls")).json()["data"]
    assert (call["status"], call["about_id"]) == ("done", "opportunity-uuid")
    assert call["answer"]["total_amount"] == "10000.00"
    chain = (await client.get("/api/v1/events", params={"correlation_id": won})).json()["data"]
    assert {each["event_type"] for each in chain} == {
        "erp.opportunity.won", "service_call.requested", "service_call.completed", "treasury.invoice.created",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["reset", "garbage", "drip"])
async def test_what_was_done_without_an_answer_is_not_done_again(
    outside: Outside, client: httpx2.AsyncClient, kind: str
) -> None:
    await connect(client, outside, "treasury")
    outside.fault("treasury.create_invoice", kind, times=1 if kind == "drip" else 2)
    await tell(client, "erp.opportunity.won")
    assert [call["status"] for call in await _over(client)] == ["done"]
    assert outside.effects("treasury.create_invoice") == 1


async def test_a_service_that_is_still_at_work_is_waited_for(outside: Outside, client: httpx2.AsyncClient) -> None:
    """The first request is cut after 10 s; the one after it is told that the first is under way."""
    await connect(client, outside, "treasury")
    outside.fault("treasury.create_invoice", "delay", seconds=12)
    await tell(client, "erp.opportunity.won")
    (call,) = await _over(client)
    assert call["status"] == "done"
    assert 409 in {each["status"] for each in outside.listed("requests")}
    assert outside.effects("treasury.create_invoice") == 1


async def _over(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """The tenant's calls of services, once there is one and none is under way."""
    for _ in range(900):
        calls = list((await client.get("/api/v1/service-calls")).json()["data"])
        if calls and all(each["status"] in ("done", "failed", "dead") for each in calls):
            return calls
        await asyncio.sleep(0.1)
    raise TimeoutError


async def test_the_same_event_by_two_ways_is_one_effect(
    outside: Outside, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    await connect(client, outside, "treasury")
    made = (await client.post("/api/v1/api-keys", json={"name": "the broker's", "scopes": ["*"]})).json()
    document = {"event_id": "won-1", "event_type": "erp.opportunity.won", "data": EXAMPLES["erp.opportunity.won"]}
    for key in (tenant.key, made["key"]):
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.post("/api/v1/events", json=document, headers=headers)
        assert answer.status_code == 202, answer.text
    await until(lambda: len(outside.listed("requests")) == 2)
    assert outside.effects("treasury.create_invoice") == 1
    assert len({each["key"] for each in outside.listed("requests")}) == 1


@pytest.mark.parametrize("lines", [["PIPE-22"], [{"sku": "PIPE-22"}]])
async def test_an_event_that_makes_no_sense_is_kept_with_its_cause(
    outside: Outside, client: httpx2.AsyncClient, lines: list[Any]
) -> None:
    await connect(client, outside, "inventory")
    id = await tell(client, "erp.order.created", lines=lines)
    for _ in range(900):
        found = (await client.get("/api/v1/deliveries", params={"event_id": id})).json()["data"]
        if codes := {each["error_code"] for each in found} - {None}:
            break
        await asyncio.sleep(0.1)
    assert codes == {"invalid"}
    assert outside.listed("requests") == []


@pytest.mark.parametrize("amounts", [[49999.99], [25000, 25000.01], [None, 50000], ["all"], [50000, True]])
async def test_a_payroll_whose_lines_are_not_its_total_is_refused_as_a_whole(
    outside: Outside, client: httpx2.AsyncClient, amounts: list[Any]
) -> None:
    await connect(client, outside, "treasury")
    await tell(client, "erp.payroll.processed", lines=[{"employee_id": "e", "amount": each} for each in amounts])
    path = "/api/v1/events?event_type=treasury.payroll.rejected"
    for _ in range(900):
        if told := (await client.get(path)).json()["data"]:
            break
        await asyncio.sleep(0.1)
    assert [each["data"]["payroll_id"] for each in told] == ["payroll-uuid"]
    assert outside.listed("requests") == []


async def test_nothing_follows_where_nobody_provides_the_service(outside: Outside, client: httpx2.AsyncClient) -> None:
    await connect(client, outside, "inventory")
    for event in EXAMPLES:
        await tell(client, event, **({"lines": None} if event != "erp.order.created" else {}), warehouse_id=None)
    await until(lambda: outside.effects("inventory.create_reservation"))
    calls = (await client.get("/api/v1/service-calls", params={"limit": 200})).json()["data"]
    assert {each["service"] for each in calls} == {"inventory"}
