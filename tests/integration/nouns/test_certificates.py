"""Certificates and payments over the API: the gate before one, and one of each that is said twice."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import asyncpg
import httpx2
import pytest
from standardwebhooks import Webhook

from crosstie.db import session
from tests.integration.nouns.conftest import Make, events
from tests.receiver import Receiver
from tests.stage import Stage, Tenant

FILE = b"%PDF-1.7\nCertificate of compliance"
PAID = {"amount": {"amount": "1200.00", "currency": "ZAR"}, "method": "card", "gateway": "stripe"}


async def finished(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    for move in ("schedule", "start", "complete"):
        assert (await client.post(f"/api/v1/jobs/{job['id']}/{move}")).status_code == 200


async def draft(client: httpx2.AsyncClient, make: Make, job: dict[str, Any]) -> dict[str, Any]:
    file = await client.post("/api/v1/documents", files={"file": ("coc.pdf", FILE, "application/pdf")})
    return await make(
        "certificates", job_id=job["id"], number="COC-1", type="electrical", signatory_registration="IE 12345",
        document_id=file.json()["id"], expires_at="2099-01-01T00:00:00Z",
    )  # fmt: skip


async def test_a_certificate_is_issued_once_compliance_is_complete(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any], receiver: Receiver
) -> None:
    endpoint = await make("webhook-endpoints", url=receiver.url, event_types=["certificate.issued"])
    certificate = await draft(client, make, job)
    path = f"/api/v1/certificates/{certificate['id']}"

    early = await client.post(f"{path}/issue")
    assert (early.status_code, early.json()["code"]) == (409, "move_refused")
    assert not await events(client, "certificate.issued")
    await finished(client, job)
    issued = await client.post(f"{path}/issue")
    assert issued.status_code == 200, issued.text

    (received,) = await receiver.wait(1, "certificate.issued")
    Webhook(endpoint["secret"]).verify(received.body.decode(), received.headers)
    data = received.envelope["data"]
    assert (data["certificate_id"], data["number"], data["type"]) == (certificate["id"], "COC-1", "electrical")
    assert (data["job_id"], data["sha256"]) == (job["id"], sha256(FILE).hexdigest())
    assert (await client.patch(path, json={"number": "COC-2"})).status_code == 409
    assert (await client.delete(path)).status_code == 409
    revoked = await client.post(f"{path}/revoke", json={"reason": "Wrong board"})
    assert (revoked.json()["status"], revoked.json()["revoke_reason"]) == ("revoked", "Wrong board")


async def test_a_certificate_needs_its_file(client: httpx2.AsyncClient, make: Make, job: dict[str, Any]) -> None:
    await finished(client, job)
    bare = await make("certificates", job_id=job["id"], number="1", type="gas", signatory_registration="G1")
    refused = await client.post(f"/api/v1/certificates/{bare['id']}/issue")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/document_id")
    twin = {"job_id": job["id"], "number": "1", "type": "gas", "signatory_registration": "G1"}
    assert (await client.post("/api/v1/certificates", json=twin)).status_code == 409


async def test_a_payment_that_is_said_many_times_is_one(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    body = PAID | {"job_id": job["id"], "gateway_reference": "pi_1"}

    await asyncio.gather(*(client.get("/api/v1/payments") for _ in range(20)))  # so that connections are open
    answers = await asyncio.gather(*(client.post("/api/v1/payments", json=body) for _ in range(40)))

    assert sorted(a.status_code for a in answers) == [200] * 39 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    (event,) = await events(client, "payment.received")
    assert (event["data"]["job_id"], event["data"]["amount"]) == (job["id"], PAID["amount"])
    other = await client.post("/api/v1/payments", json=body | {"amount": {"amount": "1.00", "currency": "ZAR"}})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (409, "/amount")
    bulk = await client.post("/api/v1/payments/bulk", json={"items": [body, body | {"gateway_reference": "pi_2"}]})
    assert len({r["data"]["id"] for r in bulk.json()["results"]}) == 2
    assert len(await events(client, "payment.received")) == 2
    cash = [await client.post("/api/v1/payments", json={"amount": PAID["amount"], "method": "cash"}) for _ in range(2)]
    assert cash[0].json()["id"] != cash[1].json()["id"]


async def test_a_payment_of_one_tenant_is_not_anothers(stage: Stage, client: httpx2.AsyncClient) -> None:
    body = PAID | {"gateway_reference": "pi_1"}
    mine = await client.post("/api/v1/payments", json=body)
    async with (await stage.tenant()).client() as other:
        theirs = await other.post("/api/v1/payments", json=body)
    assert (mine.status_code, theirs.status_code) == (201, 201)


async def test_a_payment_is_a_fact(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/payments", json=PAID)
    path = f"/api/v1/payments/{made.json()['id']}"
    assert (await client.patch(path, json={"method": "cash"})).status_code == 405
    assert (await client.delete(path)).status_code == 405
    nothing = await client.post("/api/v1/payments", json=PAID | {"amount": {"amount": "0.00", "currency": "ZAR"}})
    assert nothing.status_code == 422
    app = await asyncpg.connect(stage.dsns.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with session.transaction(app, session.begin(tenant.id)):
                await app.execute("UPDATE payments SET amount = 1")
    finally:
        await app.close()
