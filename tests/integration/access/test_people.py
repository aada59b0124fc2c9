"""Users, roles and outlets over the API: nobody gives or takes more than he may do, and each identity has one owner."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import pytest

from crosstie.access import tenant as tenants
from crosstie.access import user as users
from crosstie.app import opened
from crosstie.errors import IdentityElsewhere
from crosstie.log import change
from crosstie.log.event import SYSTEM
from tests.integration.access.people import PASSWORD, Browser, firm, join
from tests.stage import Stage, Tenant

ISSUER = "https://id.example.com/firm"


@asynccontextmanager
async def holding(client: httpx2.AsyncClient, *scopes: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller with these scopes alone."""
    made = await client.post("/api/v1/api-keys", json={"name": "some", "scopes": list(scopes)})
    assert made.status_code == 201, made.text
    headers = {"authorization": f"Bearer {made.json()['key']}"}
    async with httpx2.AsyncClient(base_url=str(client.base_url), headers=headers, timeout=30) as found:
        yield found


async def user(client: httpx2.AsyncClient, role: str = "technician", **fields: Any) -> dict[str, Any]:
    made = await client.post(
        "/api/v1/users", json={"email": f"{secrets.token_hex(4)}@example.com", "role": role} | fields
    )
    assert made.status_code == 201, made.text
    return dict(made.json())


async def test_nobody_gives_or_touches_more_than_he_may_do(client: httpx2.AsyncClient) -> None:
    admin = await user(client, "admin")
    async with holding(client, "users:read", "users:write") as clerk:
        outsider = await user(clerk, "client")
        body = {"email": f"{secrets.token_hex(4)}@example.com", "role": "admin"}
        tries = [
            await clerk.post("/api/v1/users", json=body),
            await clerk.post("/api/v1/users", json=body | {"role": "client", "further_roles": ["admin"]}),
            await clerk.patch(f"/api/v1/users/{outsider['id']}", json={"role": "owner"}),
            await clerk.patch(f"/api/v1/users/{outsider['id']}", json={"further_roles": ["viewer"]}),
            await clerk.patch(f"/api/v1/users/{admin['id']}", json={"email": "mine@example.com"}),
            await clerk.delete(f"/api/v1/users/{admin['id']}"),
        ]
        verbs = ("invite", "suspend", "sign-out", "reset-factor")
        tries += [await clerk.post(f"/api/v1/users/{admin['id']}/{verb}") for verb in verbs]
        codes = [(answer.status_code, answer.json().get("code")) for answer in tries]
        assert codes == [(403, "insufficient_scope")] * len(tries)
        assert (await clerk.patch(f"/api/v1/users/{outsider['id']}", json={"name": "Sipho"})).status_code == 200
        assert (await client.get(f"/api/v1/users/{admin['id']}")).json() == admin
        for caller, verb, answer in ((client, "suspend", 200), (clerk, "activate", 403), (client, "activate", 200)):
            assert (await caller.post(f"/api/v1/users/{admin['id']}/{verb}")).status_code == answer


async def test_roles_of_ones_own(client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/api/v1/roles", params={"limit": 100})).json()["data"]
    assert {role["name"]: role["scopes"] for role in listed}["admin"] == ["*"]
    built = next(role for role in listed if role["name"] == "viewer")
    assert (await client.patch(f"/api/v1/roles/{built['id']}", json={"scopes": ["*"]})).status_code == 403
    assert (await client.delete(f"/api/v1/roles/{built['id']}")).status_code == 403
    async with holding(client, "roles:read", "roles:write", "jobs:read") as clerk:
        body = {"name": "planner", "title": "Plans", "scopes": ["jobs:read"]}
        made = await clerk.post("/api/v1/roles", json=body)
        assert made.status_code == 201, made.text
        path = f"/api/v1/roles/{made.json()['id']}"
        assert (await clerk.post("/api/v1/roles", json=body | {"name": "x", "scopes": ["*"]})).status_code == 403
        assert (await clerk.patch(path, json={"scopes": ["jobs:write"]})).status_code == 403
        assert (await client.patch(path, json={"scopes": ["jobs:write", "jobs:read"]})).status_code == 200
        assert (await clerk.patch(path, json={"title": "Not his any more"})).status_code == 403
        assert (await clerk.delete(path)).status_code == 403
    assert (await client.post("/api/v1/roles", json=body | {"name": "admin"})).status_code == 409
    assert (await client.post("/api/v1/roles", json=body | {"name": "y", "scopes": ["jobs:fly"]})).status_code == 422
    someone = await user(client, "planner")
    assert (await client.delete(path)).json()["code"] == "still_referenced"
    unknown = await client.patch(f"/api/v1/users/{someone['id']}", json={"role": "nobody"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/role")
    for roles, answer in (({"role": "viewer", "further_roles": ["planner"]}, 409), ({"further_roles": []}, 204)):
        assert (await client.patch(f"/api/v1/users/{someone['id']}", json=roles)).status_code == 200
        assert (await client.delete(path)).status_code == answer


async def test_a_role_counts_at_once(stage: Stage) -> None:
    tenant = await firm(stage, "required_of_admins")
    email = await join(stage, tenant, "technician")
    async with tenant.client() as client, Browser(stage) as browser:
        await browser.log_in(email)
        assert (await browser.open("/account")).status_code == 200
        (found,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        await client.patch(f"/api/v1/users/{found['id']}", json={"role": "admin"})
        # more rights ask for more proof
        assert (await browser.open("/account")).headers["location"].startswith("/login/factor")


async def test_outlets_and_their_people(client: httpx2.AsyncClient, stage: Stage) -> None:
    made = await client.post("/api/v1/outlets", json={"code": "KNY", "name": "Knysna"})
    assert made.status_code == 201, made.text
    outlet = made.json()
    someone = await user(client, outlet_ids=[outlet["id"]])
    assert someone["outlet_ids"] == [outlet["id"]]
    async with (await stage.tenant()).client() as stranger:
        theirs = await stranger.post("/api/v1/outlets", json={"code": "KNY", "name": "Theirs"})
        assert theirs.status_code == 201
    wrong = await client.patch(f"/api/v1/users/{someone['id']}", json={"outlet_ids": [theirs.json()["id"]]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/outlet_ids/0")
    assert (await client.post("/api/v1/outlets", json={"code": "KNY", "name": "Twice"})).status_code == 409
    assert (await client.post(f"/api/v1/outlets/{outlet['id']}/close")).json()["status"] == "closed"


async def test_how_people_sign_in_is_for_who_may_do_everything(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    async with holding(client, "tenants:read", "tenants:write") as clerk:
        assert (await clerk.patch(f"/api/v1/tenants/{tenant.id}", json={"locale": "ar"})).status_code == 200
        for values in ({"second_factor": "optional"}, {"identity_issuer": ISSUER}):
            assert (await clerk.patch(f"/api/v1/tenants/{tenant.id}", json=values)).status_code == 403


@pytest.mark.parametrize("whole", [True, False], ids=["all of the tenant", "one user"])
async def test_identity_in_other_hands(stage: Stage, whole: bool) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with tenant.client() as client, Browser(stage) as browser:
        await browser.log_in(email)
        outlet = (await client.post("/api/v1/outlets", json={"code": "A", "name": "A"})).json()
        (found,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        path = f"/api/v1/users/{found['id']}"
        if whole:
            await client.patch(f"/api/v1/tenants/{tenant.id}", json={"identity_issuer": ISSUER})
        else:
            await synced(stage, tenant, UUID(found["id"]), issuer=ISSUER, subject="u-1")
        assert (await browser.open("/account")).status_code == 303  # what was local ended
        tries = [
            await client.patch(path, json={"role": "admin"}),
            await client.patch(path, json={"email": "other@example.com"}),
            await client.post(f"{path}/invite"),
            await client.post(f"{path}/suspend"),
            await client.post(f"{path}/reset-factor"),
            await client.delete(path),
        ]
        if whole:
            tries.append(await client.post("/api/v1/users", json={"email": "new@example.com", "role": "viewer"}))
        for answer in tries:
            assert (answer.status_code, answer.json()["code"]) == (403, "identity_elsewhere"), answer.text
            assert ISSUER in answer.json()["detail"]
        assert (await client.patch(path, json={"outlet_ids": [outlet["id"]]})).status_code == 200
        assert (await client.post(f"{path}/sign-out")).status_code == 200
        assert (await browser.log_in(email, PASSWORD)).status_code == 401
        assert all(each["ended_at"] for each in (await client.get("/api/v1/sessions")).json()["data"])
    # the owner writes; nobody else
    after = await synced(stage, tenant, UUID(found["id"]), issuer=ISSUER, subject="u-1", role="owner")
    assert (after.role, after.issuer, after.subject) == ("owner", ISSUER, "u-1")
    if whole:
        async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
            with pytest.raises(IdentityElsewhere):
                async with process.log.unit(tenant.id, SYSTEM) as unit:
                    await users.make(unit, email="operator@example.com", role="admin", secret=PASSWORD)


async def synced(stage: Stage, tenant: Tenant, id: UUID, **values: Any) -> users.User:
    """What a user's issuer says of him."""
    async with (
        opened(stage.settings, stage.dsns, work=False, name="test") as process,
        process.log.unit(tenant.id, SYSTEM) as unit,
    ):
        row = await unit.get(users.User, id, lock=True)
        after = await change.update(unit, users.USERS, row, values)
    assert isinstance(after, users.User)
    return after


async def test_a_suspended_tenant_signs_nobody_in(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser, opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await browser.log_in(email)
        await tenants.set_status(process.log.app, process.vault, tenant.id, "suspended")
        assert (await browser.open("/account")).status_code == 303
        await tenants.set_status(process.log.app, process.vault, tenant.id, "active")
        assert (await browser.open("/account")).status_code == 200
