"""The catalogue of event types, and the types that a tenant registers for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from crosstie.catalog import catalogue
from tests.integration.api.test_conventions import refused
from tests.receiver import Receiver
from tests.stage import Stage, Tenant

SCHEMA = {
    "type": "object",
    "required": ["meter_id", "litres"],
    "properties": {"meter_id": {"type": "string"}, "litres": {"$ref": "#/$defs/amount"}},
    "$defs": {"amount": {"type": "number", "minimum": 0}},
}
TYPE: dict[str, Any] = {"name": "acme.meter.read", "summary": "A water meter was read.", "data_schema": SCHEMA}
SHOWN = {
    "name", "version", "direction", "summary", "producers", "consumers", "data_schema", "example", "since",
    "deprecated",
}  # fmt: skip
#: the guide's names (B-160), with who sends them
GUIDE = {
    "erp": "opportunity.won purchase_order.received payroll.processed leave.requested order.created campaign.sent"
    " lead.qualified purchase_order.created work_order.started work_order.completed expense.approved expense.created"
    " order.fulfilled product.updated",
    "auth": "tenant.created tenant.updated user.created user.updated",
    "treasury": "invoice.created payment.processed bill.created",
    "inventory": "stock.updated movement.recorded reservation.created",
    "logistics": "shipment.created shipment.delivered",
    "pos": "order.created",
    "iot": "telemetry.received alert.triggered",
    "projects": "budget.updated",
}
#: what answers where it says no more than "requested" or "created" (checklist §5.2)
ANSWERS = (
    "erp.leave.approved erp.leave.rejected erp.tax.assessed erp.tax.period_closed treasury.invoice.rejected"
    " treasury.bill.rejected treasury.payment.failed treasury.payroll.rejected treasury.expense.rejected"
    " treasury.tax_return.filed treasury.tax_return.rejected inventory.reservation.rejected inventory.movement.rejected"
    " logistics.shipment.rejected pos.product.rejected projects.expense.rejected projects.resource.allocated"
    " projects.resource.rejected"
)
#: the webhook catalogue of a trades business (checklist §3)
TRADES = (
    "job.created job.updated job.scheduled job.dispatched job.en_route job.started job.completed job.cancelled"
    " job.closed quote.created quote.sent quote.viewed quote.approved quote.declined quote.expired deposit.requested"
    " payment.received payment.failed payment.refunded invoice.sent invoice.paid invoice.overdue expense.logged"
    " photo.uploaded photo.annotated document.uploaded compliance.checklist.created compliance.checklist.completed"
    " compliance.checklist.failed certificate.issued certificate.revoked certificate.expiring regulation.updated"
    " purchase_order.created purchase_order.sent purchase_order.confirmed purchase_order.received"
    " vendor.price.updated stock.low assessment.completed report.generated contract.signed maintenance.due"
    " estate.request.routed estate.request.updated estate.health.updated claim.submitted claim.acknowledged"
    " warranty.registered dispute.opened dispute.resolved review.submitted client.created client.updated user.created"
    " user.updated message.received message.sent"
)


async def types(client: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get("/api/v1/event-types")
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["data"]}


async def test_the_catalogue_shows_every_type(client: httpx2.AsyncClient) -> None:
    found = await types(client)
    assert found.keys() == catalogue().events.keys()
    for name, each in found.items():
        assert each.keys() == SHOWN
        assert each["example"]["event_type"] == name
        assert each["producers"], name
        assert each["consumers"], name
    for system, names in GUIDE.items():
        for name in names.split():
            assert found[f"{system}.{name}"]["producers"] == [system]
            assert "erp" in found[f"{system}.{name}"]["consumers"] or system == "erp"
    assert found.keys() >= {*ANSWERS.split(), *TRADES.split()}


async def test_what_others_may_send_is_taken_with_its_example(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    examples = [each["example"] for each in (await types(client)).values() if each["producers"] != ["crosstie"]]
    sent = [each | {"event_id": f"e-{number}", "tenant_id": str(tenant.id)} for number, each in enumerate(examples)]
    answer = await client.post("/api/v1/events/batch", json={"events": sent})
    assert answer.json() == {"accepted": len(sent), "duplicates": 0, "rejected": []}
    bare = [{name: each[name] for name in each.keys() - {"sequence", "actor"}} for each in sent]
    again = await client.post("/api/v1/events/batch", json={"events": bare})
    assert again.json() == {"accepted": 0, "duplicates": len(sent), "rejected": []}


async def test_the_catalogue_has_pages(client: httpx2.AsyncClient) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        parameters = {"limit": "40"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/event-types", params=parameters)).json()
        seen += [each["name"] for each in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert seen == sorted(catalogue().events)


async def test_a_registered_type_can_be_sent_and_heard_of(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    endpoint = {"url": receiver.url, "event_types": ["acme.meter.read"]}
    refused(await client.post("/api/v1/webhook-endpoints", json=endpoint), 422, "invalid")
    made = await client.post("/api/v1/event-types", json=TYPE)
    assert made.status_code == 201, made.text
    shown = (await types(client))["acme.meter.read"]
    assert (shown["data_schema"], shown["version"], shown["direction"]) == (SCHEMA, 1, "in")
    assert (await client.post("/api/v1/webhook-endpoints", json=endpoint)).status_code == 201
    event = {"event_id": "m-1", "event_type": "acme.meter.read", "data": {"meter_id": "m", "litres": 12.5}}
    assert (await client.post("/api/v1/events", json=event)).status_code == 202
    (received,) = await receiver.wait(1, "acme.meter.read")
    assert received.envelope["data"] == event["data"]
    bad = event | {"event_id": "m-2", "data": {"meter_id": "m", "litres": -1}}
    found = refused(await client.post("/api/v1/events", json=bad), 422, "invalid")
    assert found["errors"][0]["pointer"] == "/data/litres"


async def test_versions_stand_side_by_side(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/event-types", json=TYPE)
    refused(await client.post("/api/v1/event-types", json=TYPE), 409, "conflict")
    second = TYPE | {"version": 2, "data_schema": {"type": "object", "required": ["kilolitres"]}}
    assert (await client.post("/api/v1/event-types", json=second)).status_code == 201
    event = {"event_id": "v-1", "event_type": "acme.meter.read", "data": {"meter_id": "m", "litres": 1}}
    assert (await client.post("/api/v1/events", json=event | {"version": 1})).status_code == 202
    for _ in range(40):  # another process may go on for seconds with the version that it knows
        newest = await client.post("/api/v1/events", json=event | {"event_id": "v-2"})
        if newest.status_code == 422:
            break
        await asyncio.sleep(0.2)
    refused(newest, 422, "invalid")


async def test_a_type_belongs_to_its_tenant(client: httpx2.AsyncClient, stage: Stage) -> None:
    await client.post("/api/v1/event-types", json=TYPE)
    other = await stage.tenant()
    async with other.client() as stranger:
        assert "acme.meter.read" not in await types(stranger)
        event = {"event_id": "x", "event_type": "acme.meter.read", "data": {"meter_id": "m", "litres": 1}}
        refused(await stranger.post("/api/v1/events", json=event), 422, "event_type_unknown")
        assert (await stranger.post("/api/v1/event-types", json=TYPE)).status_code == 201


async def test_names_of_the_catalogue_are_taken(client: httpx2.AsyncClient) -> None:
    refused(await client.post("/api/v1/event-types", json=TYPE | {"name": "job.created"}), 409, "conflict")
    refused(await client.post("/api/v1/event-types", json=TYPE | {"name": "erp.opportunity.won"}), 409, "conflict")
    found = refused(await client.post("/api/v1/event-types", json=TYPE | {"name": "job.exploded"}), 422, "invalid")
    assert found["errors"][0] == {
        "pointer": "/name", "code": "reserved", "message": "names that begin with job. are Crosstie's own",
    }  # fmt: skip
    for name in ("x", "Acme.read", "acme", "acme..read", "acme.read\n", "*.read", "1.a", "a" * 201 + ".b"):
        refused(await client.post("/api/v1/event-types", json=TYPE | {"name": name}), 422, "invalid")


def chained(levels: int) -> dict[str, Any]:
    """A schema that doubles its work with every level."""
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": defs | {f"d{levels}": {}}}


BAD: dict[str, dict[str, Any]] = {
    "no such type": {"type": "strin"},
    "not a pattern": {"pattern": "("},
    "backtracking": {"pattern": "^(?=a)(a+)+$"},
    "back reference": {"pattern": r"(a)\1"},
    "refers outwards": {"$ref": "http://127.0.0.1:9/schema"},
    "refers to a file": {"$ref": "file:///etc/passwd"},
    "refers to nothing": {"$ref": "#/$defs/absent"},
    "refers to itself": {"$ref": "#"},
    "refers in a circle": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "explodes": chained(30),
    "unknown draft": {"$schema": "http://example.com/x"},
    "another base": {"$id": "http://example.com/x", "type": "object"},
    "large": {"description": "x" * 70_000},
    "odd definitions": {"$defs": [], "$ref": "#/$defs/a"},
}


@pytest.mark.parametrize("name", BAD)
async def test_schemas_that_cannot_be_used(client: httpx2.AsyncClient, name: str) -> None:
    found = refused(await client.post("/api/v1/event-types", json=TYPE | {"data_schema": BAD[name]}), 422, "invalid")
    assert found["errors"][0]["pointer"] == "/data_schema"


async def test_slow_patterns_are_quick_here(client: httpx2.AsyncClient) -> None:
    schema = {"properties": {"x": {"pattern": "^(a+)+$"}}}
    await client.post("/api/v1/event-types", json=TYPE | {"data_schema": schema})
    event = {"event_id": "r", "event_type": "acme.meter.read", "data": {"x": "a" * 50_000 + "!"}}
    async with asyncio.timeout(60):
        refused(await client.post("/api/v1/events", json=event), 422, "invalid")


async def test_an_example_must_fit(client: httpx2.AsyncClient) -> None:
    example = {"event_id": "x", "event_type": "acme.meter.read", "data": {"meter_id": "m", "litres": 1}}
    wrong = TYPE | {"example": example | {"data": {}}}
    refused(await client.post("/api/v1/event-types", json=wrong), 422, "invalid")
    made = await client.post("/api/v1/event-types", json=TYPE | {"example": example})
    assert made.status_code == 201
    changed = await client.patch(made.headers["location"], json={"deprecated": True})
    assert changed.status_code == 200
    shown = (await types(client))["acme.meter.read"]
    assert (shown["deprecated"], shown["example"]["data"]) == (True, example["data"])
