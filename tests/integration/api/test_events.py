"""Events of outside systems: the envelope, its dialects, duplicates, batches (CONTRACT §5, checklist B-161 … B-165)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.kit import clock
from tests.integration.api.test_conventions import refused
from tests.receiver import Receiver
from tests.stage import Tenant, calling

BUDGET = {"project_id": "p-1", "total": 250000.0, "spent": 12000.5, "currency": "KES", "version": 3}
EVENT: dict[str, Any] = {"event_id": "b-1", "event_type": "projects.budget.updated", "data": BUDGET}

#: the integration guide's own examples, as they stand there
GUIDE: dict[str, bytes] = {
    "erp.opportunity.won": b'{"opportunity_id": "opportunity-uuid", "customer_id": "customer-uuid",'
    b' "amount": 10000.00, "currency": "KES"}',
    "erp.purchase_order.received": b'{"purchase_order_id": "po-uuid", "vendor_id": "vendor-uuid",'
    b' "total_amount": 5000.00, "currency": "KES"}',
    "erp.payroll.processed": b'{"payroll_id": "payroll-uuid", "period": "2024-12", "total_amount": 50000.00,'
    b' "employee_count": 10}',
    "treasury.invoice.created": b'{"invoice_id": "invoice-uuid", "opportunity_id": "opportunity-uuid",'
    b' "status": "sent"}',
    "inventory.stock.updated": b'{"item_id": "item-uuid", "stock_level": 100, "warehouse_id": "warehouse-uuid"}',
}


async def read(client: httpx2.AsyncClient, event_type: str, count: int = 1) -> list[dict[str, Any]]:
    """The events of a type, once there are so many."""
    for _ in range(3000):
        answer = await client.get("/api/v1/events", params={"event_type": event_type, "limit": "200"})
        if len(answer.json()["data"]) >= count:
            break
        await asyncio.sleep(0.02)
    return list(answer.json()["data"])


@pytest.mark.parametrize("name", GUIDE)
async def test_the_guides_examples_are_taken_unchanged(client: httpx2.AsyncClient, tenant: Tenant, name: str) -> None:
    body = (
        b'{"event_id": "uuid", "event_type": "%s", "tenant_id": "%s", "timestamp": "2024-12-05T10:30:00Z", "data": %s}'
        % (name.encode(), str(tenant.id).encode(), GUIDE[name])
    )
    answer = await client.post("/api/v1/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202, answer.text
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["old"]
    (event,) = await read(client, name)
    assert event["timestamp"] == "2024-12-05T10:30:00Z"
    page = await client.get("/api/v1/events", params={"event_type": name})
    assert GUIDE[name] in page.content, "numbers and order of keys are the sender's own"


@pytest.mark.parametrize("first", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000009Z"])
async def test_a_moment_that_cannot_be_read_back_is_refused(client: httpx2.AsyncClient, first: str) -> None:
    refused(await client.post("/api/v1/events", json=EVENT | {"timestamp": first}), 422, "invalid")
    soon = EVENT | {"timestamp": "0001-01-01T00:00:00.000001Z"}
    assert (await client.post("/api/v1/events", json=soon)).status_code == 202
    (event,) = await read(client, "projects.budget.updated")
    assert event["timestamp"] == "0001-01-01T00:00:00.000001Z"


async def test_a_hundred_parallel_copies_are_one_event(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["projects.*"]})
    answers = await asyncio.gather(*[client.post("/api/v1/events", json=EVENT) for _ in range(100)])
    assert {answer.status_code for answer in answers} == {202}
    assert len(await read(client, "projects.budget.updated")) == 1
    await receiver.wait(1, "projects.budget.updated")
    await asyncio.sleep(0.5)
    assert len(receiver.of("projects.budget.updated")) == 1


async def test_the_same_id_with_another_body_is_a_conflict(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/api/v1/events", json=EVENT)).status_code == 202
    other = EVENT | {"data": BUDGET | {"spent": 1}}
    refused(await client.post("/api/v1/events", json=other), 409, "event_id_conflict")
    turned = dict(reversed(EVENT.items()))
    assert (await client.post("/api/v1/events", json=turned)).status_code == 202, "order says nothing"
    assert len(await read(client, "projects.budget.updated")) == 1


async def test_ids_are_unique_per_source(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = await client.post("/api/v1/api-keys", json={"name": "second", "scopes": ["events:write"]})
    await client.post("/api/v1/events", json=EVENT)
    headers = {"authorization": f"Bearer {made.json()['key']}"}
    other = EVENT | {"data": BUDGET | {"spent": 1}}
    async with calling(tenant.url, headers=headers) as second:
        assert (await second.post("/api/v1/events", json=other)).status_code == 202
    assert len(await read(client, "projects.budget.updated", 2)) == 2


DIALECTS: dict[str, dict[str, Any]] = {
    "ours with everything": EVENT
    | {"version": 1, "subject": {"type": "project", "id": "p-1"}, "correlation_id": "c", "causation_id": "d"},
    "partner outbox": {
        "id": "b-1", "event_type": "budget.updated", "aggregate_type": "projects", "aggregate_id": str(uuid4()),
        "tenant_slug": "savanna", "payload": BUDGET, "metadata": {"x": 1}, "timestamp": "2026-03-01T08:00:00+03:00",
        "version": "1.0",
    },
    "partner outbox with the full name": {
        "id": "b-1", "event_type": "projects.budget.updated", "aggregate_type": "projects", "payload": BUDGET,
    },
    "ours with payload": {"event_id": "b-1", "event_type": "projects.budget.updated", "payload": BUDGET},
    "partner outbox with data": {
        "id": "b-1", "event_type": "budget.updated", "aggregate_type": "projects", "data": BUDGET, "version": "1.0",
    },
    "camel case with our id": {
        "event_id": "b-1", "type": "projects.budget.updated", "tenantId": None, "data": BUDGET,
    },
    "camel case": {"id": "b-1", "type": "projects.budget.updated", "tenantId": None, "data": BUDGET},
    "cloudevent": {
        "specversion": "1.0", "id": "b-1", "source": "/projects", "type": "projects.budget.updated",
        "time": "2026-03-01T08:00:00Z", "datacontenttype": "application/json", "subject": "project/p-1",
        "data": BUDGET, "extension": "passed over",
    },
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_dialects_come_out_as_one_form(client: httpx2.AsyncClient, tenant: Tenant, dialect: str) -> None:
    document = DIALECTS[dialect]
    if "tenantId" in document:
        document = document | {"tenantId": str(tenant.id)}
    kind = "application/cloudevents+json" if "specversion" in document else "application/json"
    answer = await client.post("/api/v1/events", json=document, headers={"content-type": kind})
    assert answer.status_code == 202, answer.text
    (event,) = await read(client, "projects.budget.updated")
    assert (event["event_id"], event["data"], event["version"]) == ("b-1", BUDGET, 1)
    assert event["subject"] == {"type": "project", "id": "p-1"}
    assert event["tenant_id"] == str(tenant.id)
    again = await client.post("/api/v1/events", json=document)
    assert again.status_code == 202
    assert len(await read(client, "projects.budget.updated")) == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"event_id": "a b"}, "/event_id"), ({"event_id": ""}, "/event_id"), ({"event_id": "x" * 129}, "/event_id"),
        ({"event_id": 5}, "/event_id"), ({"event_id": "é"}, "/event_id"), ({"event_id": "a\n"}, "/event_id"),
        ({"data": []}, "/data"), ({"data": "x"}, "/data"), ({"data": None}, "/data"),
        ({"event_type": 5}, "/event_type"),
        ({"timestamp": "yesterday"}, "/timestamp"), ({"timestamp": 1700000000}, "/timestamp"),
        ({"timestamp": "2026-03-01T08:00:00"}, "/timestamp"), ({"timestamp": "2026-02-30T08:00:00Z"}, "/timestamp"),
        ({"version": 0}, "/version"), ({"version": "1"}, "/version"), ({"version": True}, "/version"),
        ({"version": 2**31}, "/version"), ({"subject": "p-1"}, "/subject"), ({"subject": {"type": "x"}}, "/subject"),
        ({"correlation_id": ""}, "/correlation_id"), ({"correlation_id": 5}, "/correlation_id"),
        ({"colour": "red"}, "/colour"), ({"data": BUDGET | {"version": -1}}, "/data/version"),
        ({"data": BUDGET | {"currency": "shillings"}}, "/data/currency"), ({"data": {}}, "/data"),
    ],
)  # fmt: skip
async def test_faults_of_the_envelope_are_pointed_at(
    client: httpx2.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    found = refused(await client.post("/api/v1/events", json=EVENT | change), 422)
    assert pointer in {fault["pointer"] for fault in found["errors"]}


async def test_what_is_missing_is_named(client: httpx2.AsyncClient) -> None:
    found = refused(await client.post("/api/v1/events", json={}), 422, "invalid")
    assert {fault["pointer"] for fault in found["errors"]} == {"/event_id", "/event_type", "/data"}


async def test_unknown_and_reserved_types(client: httpx2.AsyncClient) -> None:
    unknown = EVENT | {"event_type": "nobody.knows.this"}
    refused(await client.post("/api/v1/events", json=unknown), 422, "event_type_unknown")
    reserved = EVENT | {"event_type": "job.created"}
    refused(await client.post("/api/v1/events", json=reserved), 403, "event_type_reserved")


async def test_another_tenants_name_is_refused(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    refused(await client.post("/api/v1/events", json=EVENT | {"tenant_id": str(uuid4())}), 403, "forbidden")
    assert (await client.post("/api/v1/events", json=EVENT | {"tenant_id": str(tenant.id).upper()})).status_code == 202


async def test_times_are_utc_and_the_future_is_refused(client: httpx2.AsyncClient) -> None:
    sent = EVENT | {"timestamp": "2026-03-01T10:00:00.5+02:00"}
    await client.post("/api/v1/events", json=sent)
    (event,) = await read(client, "projects.budget.updated")
    assert event["timestamp"] == "2026-03-01T08:00:00.500000Z"
    ahead = clock.format(datetime.now(UTC) + timedelta(hours=1))
    found = refused(await client.post("/api/v1/events", json=EVENT | {"event_id": "b-2", "timestamp": ahead}), 422)
    assert found["errors"][0]["code"] == "future"
    soon = clock.format(datetime.now(UTC) + timedelta(minutes=1))
    sent = EVENT | {"event_id": "b-3", "timestamp": soon}
    assert (await client.post("/api/v1/events", json=sent)).status_code == 202, "clocks may differ a little"


async def test_a_batch_says_what_became_of_each(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/events", json=EVENT)
    events = [
        EVENT,  # a duplicate
        EVENT | {"event_id": "b-2"},
        EVENT | {"event_id": "b-2"},  # the same again in one batch
        EVENT | {"event_id": "b 3"},
        EVENT | {"event_id": "b-4", "event_type": "job.created"},
        EVENT | {"event_id": "b-1", "data": BUDGET | {"spent": 1}},
        "not an event",
        DIALECTS["cloudevent"] | {"id": "b-5"},
        EVENT | {"event_id": "b-6", "event_type": "nobody.knows.this"},
    ]
    answer = await client.post("/api/v1/events/batch", json={"events": events})
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["accepted"], found["duplicates"]) == (2, 2)
    assert [(each["index"], each["problem"]["code"]) for each in found["rejected"]] == [
        (3, "invalid"), (4, "event_type_reserved"), (5, "event_id_conflict"), (6, "invalid"), (8, "event_type_unknown"),
    ]  # fmt: skip
    assert len(await read(client, "projects.budget.updated", 3)) == 3


async def test_bounds_of_a_batch(client: httpx2.AsyncClient) -> None:
    bodies: list[Any] = [{"events": []}, {"events": {}}, {}, {"events": [EVENT], "more": 1}, [EVENT]]
    for body in bodies:
        refused(await client.post("/api/v1/events/batch", json=body), 422)
    events = [EVENT | {"event_id": f"n-{number}"} for number in range(1001)]
    refused(await client.post("/api/v1/events/batch", json={"events": events}), 422, "invalid")
    answer = await client.post("/api/v1/events/batch", json={"events": events[:1000]})
    assert answer.json() == {"accepted": 1000, "duplicates": 0, "rejected": []}


async def test_sequence_rises_per_subject(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        await client.post("/api/v1/events", json=EVENT | {"event_id": f"s-{number}"})
    found = await read(client, "projects.budget.updated", 5)
    assert [event["sequence"] for event in reversed(found)] == [1, 2, 3, 4, 5]


async def test_a_keyed_event_is_answered_from_the_store(client: httpx2.AsyncClient) -> None:
    key = {"idempotency-key": "once"}
    first = await client.post("/api/v1/events", json=EVENT, headers=key)
    again = await client.post("/api/v1/events", json=EVENT, headers=key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    other = EVENT | {"event_id": "b-9"}
    refused(await client.post("/api/v1/events", json=other, headers=key), 422, "idempotency_key_reused")


@pytest.mark.parametrize("start", ["sort=created_at", "sort=-created_at", "after="])
async def test_the_log_is_walked_by_links(client: httpx2.AsyncClient, start: str) -> None:
    for number in range(5):
        await client.post("/api/v1/events", json=EVENT | {"event_id": f"w-{number}"})
    await read(client, "projects.budget.updated", 5)
    if start == "after=":
        oldest = (await client.get("/api/v1/events", params={"sort": "created_at", "limit": "1"})).json()
        start += oldest["next_cursor"]
    address: str | None = f"/api/v1/events?limit=2&event_type=projects.*&{start}"
    seen: list[str] = []
    while address:
        answer = await client.get(address)
        page = answer.json()
        seen += [event["event_id"] for event in page["data"]]
        assert page["has_more"] == ("link" in answer.headers)
        address = answer.links["next"]["url"] if page["has_more"] else None
    expected = [f"w-{number}" for number in range(5)]
    assert seen == (expected[::-1] if start == "sort=-created_at" else expected)
