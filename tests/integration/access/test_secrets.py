"""Secrets of developers: in through the API, out to code alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import pytest

from crosstie.access.secret import SECRETS, reveal
from crosstie.app import Process, opened
from crosstie.errors import NotFound
from crosstie.kit.crypto import Unsealable
from crosstie.log import change
from crosstie.log.timed import Timed
from tests.fence import fence
from tests.stage import Stage, Tenant

PLAIN = "a value that nobody may ever read again"


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


@pytest.fixture
async def behind(stage: Stage) -> AsyncIterator[asyncpg.Connection]:
    connection = await stage.superuser()
    yield connection
    await connection.close()


async def made(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/secrets", json={"name": "xero/client-secret", "value": PLAIN} | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def revealed(process: Process, tenant: Tenant, name: str = "xero/client-secret") -> list[str]:
    async with process.log.unit(tenant.id) as unit:
        return [value.reveal() for value in await reveal(unit, name)]


async def test_a_value_comes_in_and_never_goes_out(
    client: httpx2.AsyncClient, tenant: Tenant, process: Process
) -> None:
    secret = await made(client, kind="integration")
    path = f"/api/v1/secrets/{secret['id']}"
    changed = await client.patch(path, json={"description": "of the ledger"})
    rotated = await client.post(f"{path}/rotate", json={"value": "the next value, as secret"})
    await fence(client)
    seen = [changed, rotated, await client.get(path), await client.get("/api/v1/secrets"),
            await client.get("/api/v1/events", params={"limit": "200"}),
            await client.get("/api/v1/audit-entries", params={"limit": "200"})]  # fmt: skip

    assert all(answer.status_code == 200 for answer in seen), [answer.text for answer in seen]
    assert not [answer.text for answer in seen if "nobody may ever" in answer.text or "next value" in answer.text]
    assert secret["last4"] == PLAIN[-4:]
    assert await revealed(process, tenant) == ["the next value, as secret", PLAIN]
    assert (await client.get(path)).json()["last_used_at"] is not None
    types = [each["event_type"] for each in seen[4].json()["data"] if each["event_type"].startswith("secret.")]
    assert sorted(types) == ["secret.created", "secret.rotated", "secret.updated"]


async def test_the_one_before_is_good_until_the_overlap_is_over(
    client: httpx2.AsyncClient, tenant: Tenant, process: Process, behind: asyncpg.Connection
) -> None:
    secret = await made(client)
    path = f"/api/v1/secrets/{secret['id']}/rotate"
    await client.post(path, json={"value": "second", "overlap_seconds": 60})
    assert await revealed(process, tenant) == ["second", PLAIN]
    await behind.execute(
        "UPDATE secrets SET overlap_until = now() - interval '1 second' WHERE id = $1", UUID(secret["id"])
    )
    assert await revealed(process, tenant) == ["second"]
    await client.post(path, json={"value": "third", "overlap_seconds": 0})
    assert await revealed(process, tenant) == ["third"]
    with pytest.raises(NotFound):
        await revealed(process, tenant, "no/such")


async def test_equal_values_are_known_by_their_fingerprint_and_short_ones_show_nothing(
    client: httpx2.AsyncClient, stage: Stage
) -> None:
    one = await made(client)
    two = await made(client, name="another")
    short = await made(client, name="short", value="1234")
    async with (await stage.tenant()).client() as stranger:
        theirs = await made(stranger)
    assert one["fingerprint"] == two["fingerprint"] != short["fingerprint"]
    assert theirs["fingerprint"] != one["fingerprint"]
    assert short["last4"] == ""
    twin = await client.post("/api/v1/secrets", json={"name": "short", "value": "x"})
    assert twin.status_code == 409
    refused = await client.patch(f"/api/v1/secrets/{one['id']}", json={"value": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/value")


async def test_after_its_days_it_is_due_and_past_its_end_expired(
    client: httpx2.AsyncClient, tenant: Tenant, process: Process, behind: asyncpg.Connection
) -> None:
    secret = await made(client, rotation_days=90)
    path = f"/api/v1/secrets/{secret['id']}"

    async def status_after(statement: str) -> str:
        await behind.execute(f"UPDATE secrets SET {statement} WHERE id = $1", UUID(secret["id"]))
        await Timed(process.log).sweep(tenant.id)
        return str((await client.get(path)).json()["status"])

    assert await status_after("due_at = due_at - interval '89 days'") == "active"
    assert await status_after("due_at = due_at - interval '2 days'") == "due"
    assert await status_after("expires_at = now() - interval '1 second'") == "expired"
    again = (await client.post(f"{path}/rotate", json={"value": "fresh"})).json()
    assert (again["status"], again["expires_at"]) == ("active", None)


async def test_secrets_have_scopes_of_their_own(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    secret = await made(client)
    business = await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["settings:read", "jobs:read"]})
    reader = await client.post("/api/v1/api-keys", json={"name": "r", "scopes": ["secrets:read"]})
    for key, reads, rotates in ((business, 403, 403), (reader, 200, 403)):
        headers = {"x-api-key": key.json()["key"]}
        async with httpx2.AsyncClient(base_url=tenant.url, headers=headers) as caller:
            assert (await caller.get("/api/v1/secrets")).status_code == reads
            assert (await caller.get(f"/api/v1/secrets/{secret['id']}")).status_code == reads
            path = f"/api/v1/secrets/{secret['id']}/rotate"
            assert (await caller.post(path, json={"value": "x"})).status_code == rotates


async def test_no_transaction_waits_for_a_second_connection(stage: Stage) -> None:
    """As many as the pool has connections, each for a tenant whose keys this process does not know yet."""
    tenants = [await stage.tenant() for _ in range(2)]
    settings = msgspec.structs.replace(stage.settings, pool_size=len(tenants))
    async with opened(settings, stage.dsns, work=False, name="test") as process, asyncio.timeout(30):
        barrier = asyncio.Barrier(len(tenants))

        async def make(tenant: Tenant) -> None:
            async with process.log.unit(tenant.id) as unit:
                await barrier.wait()
                await change.create(unit, SECRETS, SECRETS.creation.decode({"name": "n", "value": PLAIN}))

        await asyncio.gather(*map(make, tenants))


async def test_swapped_ciphertexts_are_refused_not_given(
    client: httpx2.AsyncClient, tenant: Tenant, process: Process, behind: asyncpg.Connection
) -> None:
    one, two = await made(client), await made(client, name="two", value="another value")
    await behind.execute(
        "UPDATE secrets s SET value = o.value FROM secrets o WHERE s.id = $1 AND o.id = $2",
        UUID(one["id"]), UUID(two["id"]),
    )  # fmt: skip
    with pytest.raises(Unsealable):
        await revealed(process, tenant)
    assert await asyncio.wait_for(revealed(process, tenant, "two"), 10) == ["another value"]
