"""The timeline of a job: complete, in order, and nobody's to change."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx2
import pytest

from crosstie.db import session
from tests.integration.nouns.conftest import LINE, Make, events
from tests.stage import Stage, Tenant


async def told(client: httpx2.AsyncClient, job: dict[str, Any], **params: Any) -> dict[str, Any]:
    found = await client.get(f"/api/v1/jobs/{job['id']}/timeline", params=params)
    assert found.status_code == 200, found.text
    return dict(found.json())


async def test_everything_about_a_job_stands_in_its_timeline(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    other = await make("jobs", client_id=job["client_id"], title="Another")
    quote = await make("quotes", job_id=job["id"], lines=[LINE])
    await client.post(f"/api/v1/quotes/{quote['id']}/send")
    await client.post(f"/api/v1/jobs/{job['id']}/quote")

    page = await told(client, job)

    assert [(e["type"], e["layer"]) for e in page["data"]] == [
        ("job.created", "event"),
        ("quote.created", "money"),
        ("quote.sent", "money"),
        ("job.quoted", "event"),
    ]
    assert page["data"][2]["data"]["total"] == quote["total"]
    assert page["data"][0]["actor_type"] == "api_key"
    log = {e["event_id"]: e for e in await events(client)}
    for entry in page["data"]:
        assert log[entry["event_id"]]["data"] == entry["data"]
        assert log[entry["event_id"]]["timestamp"] == entry["at"]
    assert len((await told(client, other))["data"]) == 1


async def test_pages_follow_one_another_in_order(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    for number in range(7):
        await client.patch(f"/api/v1/jobs/{job['id']}", json={"title": f"Title {number}"})
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await told(client, job, limit=3, **cursor)
        found += [entry["data"]["title"] for entry in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == [job["title"], *(f"Title {n}" for n in range(7))]
    assert [e["type"] for e in (await told(client, job, layer="event", type="job.created"))["data"]] == ["job.created"]
    assert (await client.get(f"/api/v1/jobs/{job['id']}/timeline?nonsense=1")).status_code == 400


async def test_nobody_changes_a_timeline(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    path = f"/api/v1/jobs/{job['id']}/timeline"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await client.request(method, path)).status_code == 405
    entry = (await told(client, job))["data"][0]
    assert (await client.delete(f"{path}/{entry['id']}")).status_code == 404
    app = await asyncpg.connect(stage.dsns.app)
    try:
        for statement in (
            "DELETE FROM timeline_entries",
            "UPDATE timeline_entries SET type = 'x'",
            "TRUNCATE timeline_entries",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with session.transaction(app, session.begin(tenant.id)):
                    await app.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DELETE FROM quote_versions")
    finally:
        await app.close()


async def test_a_timeline_outlives_its_job_and_stays_its_tenants(
    stage: Stage, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    assert (await client.delete(f"/api/v1/jobs/{job['id']}")).status_code == 204
    assert [e["type"] for e in (await told(client, job))["data"]] == ["job.created", "job.deleted"]
    async with (await stage.tenant()).client() as other:
        assert (await other.get(f"/api/v1/jobs/{job['id']}/timeline")).status_code == 404
    assert (await client.get(f"/api/v1/jobs/{job['client_id']}/timeline")).status_code == 404


async def test_a_client_with_jobs_is_not_deleted(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    path = f"/api/v1/clients/{job['client_id']}"
    refused = await client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "still_referenced")
    assert (await client.get(path)).status_code == 200
    await client.delete(f"/api/v1/jobs/{job['id']}")
    assert (await client.delete(path)).status_code == 204
    assert len(await events(client, "client.deleted")) == 1


async def test_erased_fields_leave_the_timeline_too(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    quotes = []
    for name in ("Thandi Nkosi", "Sipho Dlamini"):
        quote = await make("quotes", job_id=job["id"], lines=[LINE])
        await client.post(f"/api/v1/quotes/{quote['id']}/send")
        await client.post(f"/api/v1/quotes/{quote['id']}/approve", json={"approver": name})
        quotes.append(quote)

    erased = await client.post(f"/api/v1/quotes/{quotes[0]['id']}/erase")

    assert (erased.status_code, erased.json()["approver"]) == (200, None)
    page = await client.get(f"/api/v1/jobs/{job['id']}/timeline")
    assert "Thandi" not in page.text
    assert "Sipho Dlamini" in page.text
    kept = [e for e in page.json()["data"] if e["subject_id"] == quotes[0]["id"]]
    assert [e["type"] for e in kept] == ["quote.created", "quote.sent", "quote.approved", "quote.erased"]
    assert {e["data"]["total"]["amount"] for e in kept} == {"689.83"}
    other = await stage.tenant()
    app = await asyncpg.connect(stage.dsns.app)
    try:
        async with session.transaction(app, session.begin(other.id)):
            blank = "SELECT timeline_blank('quote', $1, '{approver}')"
            assert await app.fetchval(blank, quotes[1]["id"]) == 0
    finally:
        await app.close()
