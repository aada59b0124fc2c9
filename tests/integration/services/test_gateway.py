"""The mission's paths, with a remote service behind them: the number of requests, and what callers get."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.fence import fence
from tests.integration.services.conftest import INVOICE, provide, until
from tests.parts.peer import Peer, peer
from tests.stage import Stage, Tenant

PATH = "/api/v1/treasury/invoices"


async def test_a_change_goes_through(client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant) -> None:
    answer = await client.post(PATH, json=INVOICE)
    assert answer.status_code == 201, answer.text
    assert answer.json()["invoice_number"] == "INV-1"
    (seen,) = await treasury.seen()
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", PATH, INVOICE)
    assert seen["headers"]["authorization"] == "Bearer s3cret"
    assert seen["headers"]["x-tenant-id"] == str(tenant.id)
    assert seen["headers"]["x-request-id"] == answer.headers["x-request-id"]
    assert seen["headers"]["idempotency-key"]
    (call,) = (await client.get("/api/v1/service-calls")).json()["data"]
    assert (call["operation"], call["status"], call["given"]) == ("treasury.create_invoice", "done", INVOICE)
    assert call["answer"]["id"] == "made-1"


async def test_the_tenant_in_the_path_is_an_alias(client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant) -> None:
    for named in (tenant.slug, str(tenant.id), "somebody-else"):
        answer = await client.post(f"/api/v1/{named}/treasury/invoices", json=INVOICE)
        assert answer.status_code == 201, answer.text
    assert {each["headers"]["x-tenant-id"] for each in await treasury.seen()} == {str(tenant.id)}


async def test_a_repeat_gets_the_stored_answer(client: httpx2.AsyncClient, treasury: Peer) -> None:
    headers = {"idempotency-key": "once"}
    first = await client.post(PATH, json=INVOICE, headers=headers)
    again = await client.post(PATH, json=INVOICE, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, again.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await treasury.seen()) == 1
    other = await client.post(PATH, json=INVOICE | {"customer_id": "c-2"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_twins_are_one_change(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail("slow:0.5")
    headers = {"idempotency-key": "twins"}
    answers = await asyncio.gather(*(client.post(PATH, json=INVOICE, headers=headers) for _ in range(10)))
    found = sorted(answer.status_code for answer in answers)
    assert found == [201] + [409] * 9
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    assert len(await treasury.made()) == 1


async def test_what_fails_is_sent_four_times_with_one_key(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail(usual="503")
    payment = {"reference_type": "invoice", "reference_id": "i", "amount": 5, "currency": "KES", "payment_method": "x"}
    answer = await client.post("/api/v1/treasury/payments", json=payment, headers={"idempotency-key": "p"})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    seen = await treasury.seen()
    assert len(seen) == 4
    assert len({each["headers"]["idempotency-key"] for each in seen}) == 1
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise(seen)]
    assert [gap >= wait for gap, wait in zip(gaps, (0.1, 0.2, 0.4), strict=True)] == [True] * 3
    # a 503 stands for nothing: the same key is sent again once the service is back
    await treasury.fail()
    answer = await client.post("/api/v1/treasury/payments", json=payment, headers={"idempotency-key": "p"})
    assert answer.status_code == 201
    seen = await treasury.seen()
    assert len({each["headers"]["idempotency-key"] for each in seen}) == 1


@pytest.mark.parametrize("fault", ["500", "502", "503", "429:0", "408", "refuse", "reset", "slow:3", "drip", "garbage"])
async def test_one_failure_is_hidden(client: httpx2.AsyncClient, treasury: Peer, fault: str) -> None:
    await treasury.fail(fault)
    answer = await client.post(PATH, json=INVOICE)
    assert answer.status_code == 201, answer.text
    assert len(await treasury.seen()) == 2
    assert len(await treasury.made()) == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("400", 422, "service_refused"),
        ("422", 422, "service_refused"),
        ("404", 404, "not_found"),
        ("409", 409, "conflict"),
        ("401", 502, "service_fault"),
        ("odd", 502, "service_fault"),
    ],
)
async def test_a_refusal_is_an_answer(
    client: httpx2.AsyncClient, treasury: Peer, fault: str, status: int, code: str
) -> None:
    await treasury.fail(fault)
    answer = await client.post(PATH, json=INVOICE)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(await treasury.seen()) == 1
    (call,) = (await client.get("/api/v1/service-calls", params={"status": "failed"})).json()["data"]
    assert call["problem"]["code"] == code
    provider = (await client.get("/api/v1/service-providers/treasury")).json()
    assert provider["failures"] == 0


async def test_retry_after_is_obeyed(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail("429:1")
    assert (await client.post(PATH, json=INVOICE)).status_code == 201
    first, second = await treasury.seen()
    assert second["at"] - first["at"] >= 1
    await treasury.fail("503:3000")  # more than a call may take: whoever asks is told
    answer = await client.get("/api/v1/treasury/invoices/by-reference/opportunity/o-9")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3000")
    assert len(await treasury.seen()) == 3


async def test_what_nobody_can_take_now_is_queued(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail(usual="503")
    answer = await client.post(PATH, json=INVOICE, headers={"idempotency-key": "q"})
    assert answer.status_code == 202, answer.text
    assert answer.headers["crosstie-fallback"] == "queued"
    where = answer.headers["location"]
    assert (await client.get(where)).json()["status"] == "queued"
    again = await client.post(PATH, json=INVOICE, headers={"idempotency-key": "q"})
    assert (again.status_code, again.content) == (202, answer.content)
    await treasury.fail()

    async def done() -> Any:
        found = (await client.get(where)).json()
        return found if found["status"] == "done" else None

    operation = await until(done)
    assert operation["result"]["invoice_number"] == "INV-1"
    assert len({each["headers"]["idempotency-key"] for each in await treasury.seen()}) == 1
    await fence(client)
    events = (await client.get("/api/v1/events", params={"event_type": "service_call.completed"})).json()["data"]
    assert events[0]["correlation_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("fault", ["reset", "drip"])
async def test_an_outcome_that_nobody_heard_is_found_out(
    client: httpx2.AsyncClient, treasury: Peer, fault: str
) -> None:
    await treasury.fail(*[fault] * 4)
    answer = await client.post(PATH, json=INVOICE)
    assert answer.status_code == 202, answer.text

    async def done() -> Any:
        found = (await client.get(answer.headers["location"])).json()
        return found if found["status"] == "done" else None

    operation = await until(done)
    assert operation["result"]["id"] == "made-1"
    seen = await treasury.seen()
    # four times sent with one key; then it was looked up by its reference, and not sent again
    assert [each["method"] for each in seen] == ["POST"] * 4 + ["GET"]
    assert len(await treasury.made()) == 1
    await fence(client)
    types = [each["event_type"] for each in (await client.get("/api/v1/events")).json()["data"]]
    assert [each for each in reversed(types) if each.startswith("service_call.")] == [
        "service_call.requested", "service_call.uncertain", "service_call.completed",
    ]  # fmt: skip


async def test_an_outcome_that_cannot_be_looked_up_is_asked_for_with_the_same_key(
    client: httpx2.AsyncClient, treasury: Peer
) -> None:
    await treasury.fail(*["reset"] * 4)
    expense = {"description": "Taxi", "amount": "15.50", "currency": "KES"}
    answer = await client.post("/api/v1/treasury/expenses", json=expense)
    assert answer.status_code == 202

    async def done() -> Any:
        return (await client.get(answer.headers["location"])).json()["status"] == "done"

    await until(done)
    seen = await treasury.seen()
    assert len(seen) == 5
    assert len({each["headers"]["idempotency-key"] for each in seen}) == 1
    assert len(await treasury.made()) == 1


async def test_a_service_that_is_still_at_it_is_no_refusal(client: httpx2.AsyncClient, treasury: Peer) -> None:
    """409 to a repeat of what got no answer, or with a time to come back, is waited for."""
    await treasury.fail("reset", "409", "409:0", "ok")
    answer = await client.post(PATH, json=INVOICE)
    assert answer.status_code == 201, answer.text
    assert len(await treasury.seen()) == 4
    await treasury.fail("reset", *["409:0"] * 5)
    answer = await client.post("/api/v1/treasury/expenses", json={"description": "x", "amount": 1, "currency": "KES"})
    assert answer.status_code == 202, answer.text

    async def done() -> Any:
        return (await client.get(answer.headers["location"])).json()["status"] == "done"

    await until(done)
    assert len(await treasury.made()) == 2
    assert (await client.get("/api/v1/service-providers/treasury")).json()["failures"] == 0


async def test_what_one_provider_left_unanswered_is_not_sent_to_another(
    client: httpx2.AsyncClient, treasury: Peer
) -> None:
    await treasury.fail(usual="reset")
    expense = {"description": "Taxi", "amount": "15.50", "currency": "KES"}
    answer = await client.post("/api/v1/treasury/expenses", json=expense)
    assert answer.status_code == 202
    id = answer.headers["location"].rsplit("/", 1)[-1]
    async with peer() as other:
        await provide(client, other, "treasury")

        async def dead() -> Any:
            found = (await client.get(f"/api/v1/service-calls/{id}")).json()
            return found if found["status"] == "dead" else None

        found = await until(dead)
        assert found["problem"]["code"] == "service_fault"
        assert (await client.get(answer.headers["location"])).json()["status"] == "failed"
        assert await other.seen() == []
        assert (await client.post(f"/api/v1/service-calls/{id}/retry", json={})).status_code == 200  # by decision

        async def made() -> Any:
            return await other.made()

        await until(made)


async def test_what_is_queued_can_be_cancelled(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail(usual="503")
    answer = await client.post(PATH, json=INVOICE)
    where = answer.headers["location"]
    assert (await client.delete("/api/v1/service-providers/treasury")).status_code == 409  # a call waits for it
    assert (await client.post(f"{where}/cancel", json={})).status_code == 200
    id = where.rsplit("/", 1)[-1]

    async def ended() -> Any:
        found = (await client.get(f"/api/v1/service-calls/{id}")).json()
        return found if found["status"] == "failed" else None

    await until(ended)
    assert await treasury.made() == []
    assert (await client.get(where)).json()["status"] == "cancelled"
    assert (await client.delete("/api/v1/service-providers/treasury")).status_code == 204


async def test_nobody_provides_it(client: httpx2.AsyncClient) -> None:
    for answer in (await client.post(PATH, json=INVOICE), await client.get("/api/v1/inventory/warehouses")):
        assert (answer.status_code, answer.json()["code"]) == (409, "service_unconfigured")


async def test_what_breaks_the_contract_is_sent_to_nobody(client: httpx2.AsyncClient, treasury: Peer) -> None:
    answer = await client.post(PATH, json={"customer_id": "c", "lines": [{"quantity": 1}], "colour": "red"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/colour")
    answer = await client.post(PATH, json={"customer_id": "c", "currency": "KES", "lines": [{"quantity": 1}]})
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/lines/0"}
    answer = await client.get("/api/v1/treasury/accounts", params={"colour": "red"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert await treasury.seen() == []


async def test_scopes(client: httpx2.AsyncClient, treasury: Peer, stage: Stage) -> None:
    key = (await client.post("/api/v1/api-keys", json={"name": "reader", "scopes": ["treasury:read"]})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    assert (await client.get("/api/v1/treasury/tax-codes", headers=headers)).status_code == 200
    answer = await client.post(PATH, json=INVOICE, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


async def test_another_tenants_provider_is_not_used(client: httpx2.AsyncClient, treasury: Peer, stage: Stage) -> None:
    other = await stage.tenant()
    async with other.client() as stranger:
        assert (await stranger.post(PATH, json=INVOICE)).status_code == 409
        assert (await stranger.get("/api/v1/service-providers/treasury")).status_code == 404
        assert (await stranger.get("/api/v1/service-calls")).json()["data"] == []
    assert await treasury.seen() == []


async def test_a_provider_is_switched_at_once(client: httpx2.AsyncClient, treasury: Peer) -> None:
    assert (await client.post(PATH, json=INVOICE)).status_code == 201
    async with peer() as other:
        await provide(client, other, "treasury")

        async def there() -> Any:
            await client.post(PATH, json=INVOICE)
            return await other.seen()

        await until(there, 10)
