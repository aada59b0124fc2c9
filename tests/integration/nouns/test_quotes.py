"""Quotes over the API: totals, versions, moves, the client's link."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
from standardwebhooks import Webhook

from crosstie.access import link as signed
from crosstie.access import tenant as tenants
from crosstie.app import opened
from crosstie.kit import clock
from crosstie.log.timed import Timed
from tests.fence import until
from tests.integration.nouns.conftest import LINE, Make, events
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling

FAR = "2099-01-01T00:00:00Z"


async def sent(client: httpx2.AsyncClient, make: Make, job: dict[str, Any], **values: Any) -> dict[str, Any]:
    quote = await make("quotes", **{"job_id": job["id"], "lines": [LINE], "valid_until": FAR, **values})
    moved = await client.post(f"/api/v1/quotes/{quote['id']}/send")
    assert moved.status_code == 200, moved.text
    return dict(moved.json())


async def link(client: httpx2.AsyncClient, quote: dict[str, Any], **given: Any) -> str:
    made = await client.post(f"/api/v1/quotes/{quote['id']}/link", json=given)
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


async def test_totals_are_worked_out_to_the_cent(make: Make, job: dict[str, Any]) -> None:
    lines = [
        LINE,
        LINE | {"quantity": "0.5", "unit_price": {"amount": "0.05", "currency": "ZAR"}, "tax_rate": None},
        LINE | {"kind": "labour", "quantity": "1.5", "discount": {"amount": "99.93", "currency": "ZAR"}},
    ]

    quote = await make("quotes", job_id=job["id"], lines=lines)

    # half to even: 0.025 is 0.02; 299.925 is 299.92, less 99.93 is 199.99
    assert [line["amount"]["amount"] for line in quote["lines"]] == ["599.85", "0.02", "199.99"]
    assert [line["tax_amount"]["amount"] for line in quote["lines"]] == ["89.98", "0.00", "30.00"]
    assert quote["subtotal"] == {"amount": "799.86", "currency": "ZAR"}
    assert quote["tax_total"]["amount"] == "119.98"
    assert quote["total"]["amount"] == "919.84"
    assert quote["client_id"] == job["client_id"]
    assert (quote["version"], quote["status"]) == (1, "draft")


async def test_a_quote_has_one_currency(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    dollars = {"amount": "5.00", "currency": "USD"}
    for body in (
        {"lines": [LINE, LINE | {"unit_price": dollars}]},
        {"lines": [LINE], "deposit": dollars},
        {"lines": [LINE], "currency": "USD"},
        {"deposit": dollars, "currency": "ZAR", "lines": [LINE]},  # whichever comes first
        {"currency": "ZAR", "deposit": dollars, "lines": [LINE]},
        {"lines": [], "currency": "QQQ"},
    ):
        refused = await client.post("/api/v1/quotes", json={"job_id": job["id"], **body})
        assert refused.status_code == 422, (body, refused.text)
        assert refused.json()["errors"]


async def test_a_sent_version_is_kept_and_a_change_makes_the_next(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    quote = await sent(client, make, job)
    path = f"/api/v1/quotes/{quote['id']}"

    changed = await client.patch(path, json={"lines": [LINE | {"quantity": "4"}]})

    assert (changed.json()["version"], changed.json()["status"], changed.json()["sent_at"]) == (2, "draft", None)
    again = await client.patch(path, json={"notes": "With a drip tray."})
    assert again.json()["version"] == 2  # a draft is changed in place
    versions = (await client.get(f"{path}/versions")).json()["data"]
    assert [v["version"] for v in versions] == [1, 2]
    assert [v["total"]["amount"] for v in versions] == ["689.83", "919.77"]
    assert versions[0]["sent_at"] == quote["sent_at"]


async def test_what_the_client_agreed_to_is_not_changed(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    quote = await sent(client, make, job)
    path = f"/api/v1/quotes/{quote['id']}"
    await client.post(f"{path}/approve", json={"approver": "Thandi"})

    assert (await client.patch(path, json={"notes": "More"})).status_code == 409
    assert (await client.delete(path)).status_code == 409


async def test_the_clients_approval_is_heard_of(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any], receiver: Receiver
) -> None:
    endpoint = await make("webhook-endpoints", url=receiver.url, event_types=["quote.*"])
    quote = await sent(client, make, job)
    token = await link(client, quote)
    async with calling(str(client.base_url)) as anyone:
        shown = await anyone.get(f"/api/v1/quote-links/{token}")
        assert shown.status_code == 200, shown.text
        assert shown.json()["total"] == quote["total"]
        assert shown.json()["status"] == "viewed"
        await anyone.get(f"/api/v1/quote-links/{token}")
        answers = await asyncio.gather(
            *(anyone.post(f"/api/v1/quote-links/{token}/approve", json={"approver": "Thandi Nkosi"}) for _ in range(5))
        )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]

    (received,) = await receiver.wait(1, "quote.approved")

    Webhook(endpoint["secret"]).verify(received.body.decode(), received.headers)
    data = received.envelope["data"]
    assert (data["quote_id"], data["job_id"], data["version"]) == (quote["id"], job["id"], 1)
    assert (data["approver"], data["total"], data["previous_status"]) == ("Thandi Nkosi", quote["total"], "viewed")
    assert received.envelope["actor"] == {"type": "client", "id": job["client_id"]}
    assert len(await events(client, "quote.viewed")) == 1
    assert len(await events(client, "quote.approved")) == 1


async def test_a_link_is_good_for_one_version_of_one_quote_of_one_tenant(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    quote = await sent(client, make, job)
    token = await link(client, quote)
    async with calling(str(client.base_url)) as anyone:
        altered = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
        for wrong in (altered, token[:20], "x", token.rpartition(".")[0]):
            refused = await anyone.get(f"/api/v1/quote-links/{wrong}")
            assert (refused.status_code, refused.json()["code"]) == (403, "link_expired"), wrong
        assert (await anyone.head(f"/api/v1/quote-links/{token}")).status_code == 405
        await client.patch(f"/api/v1/quotes/{quote['id']}", json={"notes": "Another version"})
        old = await anyone.post(f"/api/v1/quote-links/{token}/approve", json={"approver": "T"})
        assert (old.status_code, old.json()["code"]) == (403, "link_expired")
    assert not await events(client, "quote.viewed", "quote.approved")


async def test_a_link_ends(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    quote = await sent(client, make, job)
    assert (await client.post(f"/api/v1/quotes/{quote['id']}/link", json={"expires_in": 1})).status_code == 422

    about = {"quote": quote["id"], "version": 1}
    over = signed.make(await stage.vault(), "quote-links", tenant.id, about, clock.now() - timedelta(seconds=1))
    other = signed.make(await stage.vault(), "bytes", tenant.id, about, clock.now() + timedelta(hours=1))
    foreign = signed.make(
        await stage.vault(), "quote-links", (await stage.tenant()).id, about, clock.now() + timedelta(hours=1)
    )
    for token in (over, other, foreign):
        assert (await client.get(f"/api/v1/quote-links/{token}")).status_code == 403


async def test_a_quote_past_its_time_is_refused_and_expires_by_itself(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:

    soon = clock.format(clock.now() + timedelta(seconds=1))
    quote = await sent(client, make, job, valid_until=soon)
    await asyncio.sleep(1.1)
    refused = await client.post(f"/api/v1/quotes/{quote['id']}/approve", json={"approver": "T"})
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")

    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        timed = Timed(process.log, every=0.05)
        assert sum(await asyncio.gather(timed.sweep(tenant.id), timed.sweep(tenant.id))) == 1
        assert await timed.sweep(tenant.id) == 0
        assert (await client.get(f"/api/v1/quotes/{quote['id']}")).json()["status"] == "expired"
        (event,) = await events(client, "quote.expired")
        assert event["actor"]["type"] == "system"

        second = await sent(client, make, job, valid_until=clock.format(clock.now() + timedelta(seconds=1)))
        running = asyncio.create_task(timed.run())

        async def expired() -> bool:
            return bool((await client.get(f"/api/v1/quotes/{second['id']}")).json()["status"] == "expired")

        await until(expired)
        running.cancel()


async def test_the_links_of_a_suspended_tenant_rest(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    token = await link(client, await sent(client, make, job))
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await tenants.set_status(process.log.app, process.vault, tenant.id, "suspended")
        async with calling(stage.url) as anyone:
            for method, path in (
                ("GET", f"/api/v1/quote-links/{token}"),
                ("POST", f"/api/v1/quote-links/{token}/decline"),
                ("GET", f"/portal/quotes/{token}"),
            ):
                assert (await anyone.request(method, path)).status_code == 403
            await tenants.set_status(process.log.app, process.vault, tenant.id, "active")
            assert (await anyone.get(f"/api/v1/quote-links/{token}")).status_code == 200
