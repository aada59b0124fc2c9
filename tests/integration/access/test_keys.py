"""API keys and tenants, from outside: what a credential may do, and how quickly it may do it no more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from crosstie.access import tenant as tenants
from crosstie.access.age import Ages
from crosstie.access.token import TTL, Tokens
from crosstie.access.usage import Usage
from crosstie.app import opened
from crosstie.errors import Forbidden
from crosstie.kit import ids
from tests.fence import until
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling


async def make(client: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/api-keys", json={"name": "a key", "scopes": ["jobs:read"]} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def status(tenant: Tenant, key: str, path: str = "/api/v1/jobs") -> int:
    async with calling(tenant.url, headers={"x-api-key": key}) as caller:
        return (await caller.get(path)).status_code


async def becomes(tenant: Tenant, key: str, wanted: int) -> None:
    """Return when the key gets this status."""

    async def has() -> bool:
        return await status(tenant, key) == wanted

    await until(has)


def test_what_is_known_of_a_credential_is_forgotten_soon() -> None:
    """A revocation has 5 s to reach every process: what they remember is younger, and the rest is one look-up."""
    assert TTL <= 3


async def test_form_and_scopes(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = await make(client)
    assert made["key"].startswith("ct_live_")
    assert ids.checked(made["key"])
    assert made["key"].endswith(made["last4"])
    assert await status(tenant, made["key"]) == 200
    assert await status(tenant, made["key"], "/api/v1/clients") == 403
    shown = (await client.get(f"/api/v1/api-keys/{made['id']}")).text
    assert made["key"] not in shown
    assert "hash" not in shown


@pytest.mark.parametrize("change", ["cut", "swap", "other"])
async def test_wrong_keys_are_one_401(client: httpx2.AsyncClient, tenant: Tenant, change: str) -> None:
    key = (await make(client))["key"]
    wrong = {"cut": key[:-1], "swap": key[:12] + key[13] + key[12] + key[14:], "other": ids.token("ct_live")}[change]
    async with calling(tenant.url, headers={"authorization": f"Bearer {wrong}"}) as caller:
        answer = await caller.get("/api/v1/jobs")
    if wrong != key:
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_nobody_gives_away_what_he_has_not(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    giver = (await make(client, scopes=["api-keys:write", "jobs:read"]))["key"]
    async with calling(tenant.url, headers={"x-api-key": giver}) as caller:
        more = await caller.post("/api/v1/api-keys", json={"name": "more", "scopes": ["jobs:write"]})
        same = await caller.post("/api/v1/api-keys", json={"name": "same", "scopes": ["jobs:read"]})
    assert (more.status_code, same.status_code) == (403, 201)


async def test_unknown_scopes_and_addresses_are_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/api-keys", json={"name": "x", "scopes": ["jobs:fly"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/scopes")
    answer = await client.post("/api/v1/api-keys", json={"name": "x", "scopes": ["*"], "ips": ["1.2.3.4", "x"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/ips/1")


async def test_addresses_and_expiry(stage: Stage, client: httpx2.AsyncClient, tenant: Tenant) -> None:
    assert await status(tenant, (await make(client, ips=["10.0.0.0/8"]))["key"]) == 403
    near = await make(client, ips=["127.0.0.0/8"])
    assert await status(tenant, near["key"]) == 200
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        with pytest.raises(Forbidden):
            await Tokens(process.log.app, process.vault).grant(near["key"], None)  # an address that nobody knows
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await becomes(tenant, (await make(client, expires_at=soon))["key"], 401)


async def test_revoked_within_seconds(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = await make(client)
    assert await status(tenant, made["key"]) == 200
    assert (await client.post(f"/api/v1/api-keys/{made['id']}/revoke")).status_code == 200
    await becomes(tenant, made["key"], 401)


async def test_roll_overlaps(stage: Stage, client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = await make(client)
    rolled = (await client.post(f"/api/v1/api-keys/{made['id']}/roll", json={"overlap_seconds": 600})).json()
    assert rolled["key"] != made["key"]
    assert await status(tenant, made["key"]) == 200
    assert await status(tenant, rolled["key"]) == 200
    behind = await stage.superuser()
    await behind.execute("UPDATE api_keys SET old_until = old_until - interval '10 minutes' WHERE id = $1", made["id"])
    await behind.close()
    await becomes(tenant, made["key"], 401)
    assert await status(tenant, rolled["key"]) == 200


async def test_a_suspended_tenant_waits_and_loses_nothing(
    stage: Stage, client: httpx2.AsyncClient, tenant: Tenant, receiver: Receiver
) -> None:
    endpoint = await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.*"]})
    assert endpoint.status_code == 201, endpoint.text
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await tenants.set_status(process.log.app, process.vault, tenant.id, "suspended")
        await becomes(tenant, tenant.key, 403)
        answer = await client.post("/api/v1/clients", json={"name": "Thandi"})
        assert answer.json()["code"] == "tenant_suspended"
        # what was committed before the others knew waits
        async with process.log.unit(tenant.id) as unit:
            unit.append("client.created", unit.log.catalogue.events["client.created"].example, ("client", "x"))
        await asyncio.sleep(3)
        assert receiver.of("client.created") == []
        await tenants.set_status(process.log.app, process.vault, tenant.id, "active")
    await receiver.wait(1, "client.created")
    await becomes(tenant, tenant.key, 200)


async def test_requests_are_counted_by_key_and_day(stage: Stage, client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made, other = await make(client), await make(client)
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        tokens = Tokens(process.log.app, process.vault)
        usage = Usage(process.log.worker, tokens.used)
        for _ in range(3):
            await asyncio.gather(*(tokens.grant(made["key"], "127.0.0.1") for _ in range(50)))
            await usage.flush()
        await tokens.grant(other["key"], None)
        before = dict(tokens.used)
        await process.log.worker.close()
        await usage.flush()
        assert dict(tokens.used) == before, "nothing is lost while the database is away"
    today = datetime.now(UTC).date().isoformat()
    answer = await client.get(f"/api/v1/api-keys/{made['id']}/usage")
    assert answer.json()["data"] == [{"day": today, "requests": 150}]
    assert (await client.get(f"/api/v1/api-keys/{other['id']}/usage")).json()["data"] == []
    await client.delete(f"/api/v1/api-keys/{made['id']}")
    async with (await stage.tenant()).client() as stranger:
        assert (await stranger.get(f"/api/v1/api-keys/{other['id']}/usage")).status_code == 404


async def test_a_server_writes_what_it_counted(client: httpx2.AsyncClient) -> None:
    made = await make(client)
    headers = {"authorization": f"Bearer {made['key']}"}
    for _ in range(5):
        await client.get("/api/v1/clients", headers=headers)

    async def counted() -> bool:
        found = (await client.get(f"/api/v1/api-keys/{made['id']}/usage")).json()["data"]
        return bool(found) and found[0]["requests"] == 5

    await until(counted)


async def test_an_old_secret_is_told_of_once_a_quarter(
    stage: Stage, client: httpx2.AsyncClient, tenant: Tenant
) -> None:
    made, fresh, gone = await make(client), await make(client), await make(client)
    await client.post(f"/api/v1/api-keys/{gone['id']}/revoke")

    async def age(days: int) -> None:
        behind = await stage.superuser()
        aged = f"SET secret_at = secret_at - interval '{days} days', warned_at = warned_at - interval '{days} days'"
        await behind.execute(f"UPDATE api_keys {aged} WHERE id = ANY ($1)", [UUID(made["id"]), UUID(gone["id"])])
        await behind.close()

    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        ages = Ages(process.log)
        told = [await ages.sweep(tenant.id)]
        for days in (89, 1, 0, 89, 1):
            await age(days)
            told.append(await ages.sweep(tenant.id))
        assert told == [0, 0, 1, 0, 0, 1]
        await client.post(f"/api/v1/api-keys/{made['id']}/roll", json={"overlap_seconds": 60})
        assert await ages.sweep(tenant.id) == 0
        await age(90)
        assert await ages.sweep(tenant.id) == 1, "a rolled key grows old as well"
    events = (await client.get("/api/v1/events", params={"event_type": "api_key.aged"})).json()["data"]
    assert [event["data"]["api_key_id"] for event in events] == [made["id"]] * 3
    assert fresh["id"] not in str(events)
    assert "hash" not in str(events)
