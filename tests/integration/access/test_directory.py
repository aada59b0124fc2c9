"""The contract of an outside auth service: its tenants and people by events, calls and tokens, in whatever order."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest

from crosstie.access.key import API_KEYS
from crosstie.app import opened, serve
from crosstie.log import change
from crosstie.log.event import OPERATOR
from tests.integration.access.oauth.rig import register
from tests.integration.access.test_issuers import becomes, status
from tests.parts.issuer import Issuer, issuing
from tests.stage import Stage, Tenant, free_port

TIMES = [f"2026-11-01T08:{minute:02}:00Z" for minute in range(60)]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@dataclass
class Service:
    """The auth service: a key of its own, with which it speaks of any tenant, and its tokens."""

    url: str
    key: str
    issuer: Issuer

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, headers={"x-api-key": self.key}, timeout=30)

    async def tell(self, type: str, at: str = TIMES[0], **data: Any) -> int:
        """Send an event of its own; answers the status."""
        envelope = {"event_id": secrets.token_hex(8), "event_type": f"auth.{type}", "timestamp": at, "data": data}
        if type.startswith("user."):
            envelope["tenant_id"] = data.pop("tenant")
        async with self.client() as client:
            return (await client.post("/api/v1/events", json=envelope)).status_code

    async def firm(self, slug: str) -> dict[str, Any] | None:
        """A tenant as it can be found, with its outlets."""
        async with self.client() as client:
            answer = await client.get(f"/api/v1/tenants/by-slug/{slug}")
            return dict(answer.json()) if answer.status_code == 200 else None

    async def come(self, slug: str) -> None:
        """Wait until a tenant is there."""
        await until(lambda: self.firm(slug))

    def at(self, tenant_id: str) -> Tenant:
        return Tenant(UUID(tenant_id), "", "", self.url)


@pytest.fixture
async def service(stage: Stage, issuer: Issuer) -> AsyncIterator[Service]:
    """An installation whose tenants an auth service keeps: processes of its own on the stage's database."""
    platform = await stage.tenant()
    port = free_port()
    settings = msgspec.structs.replace(
        stage.settings, port=port, public_url=f"http://127.0.0.1:{port}", auth_issuer=issuer.address
    )
    async with opened(settings, stage.dsns, work=False, name="test") as process:
        await process.vault.load(process.log.app, platform.id)
        async with process.log.unit(platform.id, OPERATOR) as unit:
            scopes = ["directory:write", "events:write", "users:write"]
            await change.create(unit, API_KEYS, API_KEYS.creation.decode({"name": "auth", "scopes": scopes}))
        key = unit.shown["key"]
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, stage.dsns, api=True, work=True, name="second", stop=stop))
    found = Service(f"http://127.0.0.1:{port}", key, issuer)
    await until(lambda: reachable(found.url))
    try:
        yield found
    finally:
        stop.set()
        await task


async def reachable(url: str) -> bool:
    try:
        async with httpx2.AsyncClient() as client:
            return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something holds."""
    for _ in range(int(seconds * 10)):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never came to hold")


def named(slug: str, id: str, **more: Any) -> dict[str, Any]:
    return {"tenant_id": id, "slug": slug, "name": slug.title(), "status": "active", **more}


async def users(stage: Stage, tenant_id: str) -> list[tuple[str, str, str, str]]:
    behind = await stage.superuser()
    try:
        rows = await behind.fetch(
            "SELECT email, role, status, coalesce(name, '') AS name FROM users WHERE tenant_id = $1 ORDER BY email",
            UUID(tenant_id),
        )
        return [tuple(row) for row in rows]
    finally:
        await behind.close()


async def test_a_tenant_comes_with_all_it_needs(service: Service, stage: Stage) -> None:
    slug, id = f"s-{secrets.token_hex(4)}", str(uuid4())
    outlets = [{"id": "nbo", "name": "Nairobi"}, {"id": "msa", "name": "Mombasa"}]
    made = [await service.tell("tenant.created", **named(slug, id, outlets=outlets)) for _ in range(3)]
    assert made == [202] * 3
    await service.come(slug)
    firm = await service.firm(slug)
    assert firm is not None
    assert (firm["id"], firm["name"], firm["status"]) == (id, slug.title(), "active")
    await asyncio.sleep(1)  # the repeats are through as well
    firm = await service.firm(slug)
    assert firm is not None
    assert sorted(outlet["name"] for outlet in firm["outlets"]) == ["Mombasa", "Nairobi"]
    await becomes(service.at(id), service.issuer.token(tenant_id=id, email="w@x.example", roles=["owner"]), 200)
    async with httpx2.AsyncClient(base_url=service.url) as anybody:
        shown = (await anybody.get(f"/api/v1/tenants/by-slug/{slug}")).json()
        assert shown == {"id": id, "slug": slug, "name": slug.title(), "status": "active", "outlets": None}
        assert (await anybody.get("/api/v1/tenants/by-slug/nobody-has-this")).status_code == 404
        stranger = {"x-api-key": (await stage.tenant()).key}
        assert (await anybody.get(f"/api/v1/tenants/by-slug/{slug}", headers=stranger)).json() == shown
    neighbour = str(uuid4())
    await service.tell("tenant.created", **named(f"{slug}-2", neighbour))
    await service.come(f"{slug}-2")
    bearer = service.issuer.token(tenant_id=id, email="w@x.example", roles=["owner"])
    await becomes(service.at(neighbour), bearer, 401, x_tenant_id=neighbour)  # it names its tenant


async def test_changes_are_taken_in_the_order_of_their_moments(service: Service, stage: Stage) -> None:
    slug, id = f"s-{secrets.token_hex(4)}", f"firm-{secrets.token_hex(4)}"  # an id that is no UUID
    await service.tell("tenant.created", TIMES[1], **named(slug, id))
    await service.come(slug)
    await service.tell("tenant.updated", TIMES[9], **named(slug, id, name="Newest"))
    await service.tell("tenant.updated", TIMES[5], **named(slug, id, name="Older", status="suspended"))

    async def newest() -> bool:
        firm = await service.firm(slug)
        return firm is not None and firm["name"] == "Newest"

    await until(newest)
    await asyncio.sleep(1)
    assert await newest(), "an older word changes nothing"
    firm = await service.firm(slug)
    assert firm is not None
    tenant = service.at(firm["id"])
    token = service.issuer.token(tenant_id=id, email="a@x.example", roles=["owner"])
    await becomes(tenant, token, 200)
    await service.tell("tenant.updated", TIMES[20], **named(slug, id, status="suspended"))

    async def shut() -> bool:
        return await status(tenant, token) == 403 and await service.firm(slug) is None

    await until(shut)
    async with service.client() as client:
        body = {"email": "a@x.example", "tenant_slug": slug}
        assert (await client.post("/api/v1/admin/users/sync", json=body)).status_code == 403
    await service.tell("tenant.updated", TIMES[30], **named(slug, id))
    await service.come(slug)


async def test_one_user_whatever_comes_first(service: Service, stage: Stage) -> None:
    """Token, call and events of one person, racing; repeated; some of them before the tenant is there."""
    dice = random.Random(7)
    for turn in range(4):
        slug, id = f"s-{secrets.token_hex(4)}", str(uuid4())
        if turn % 2:
            await service.tell("tenant.created", **named(slug, id))
            await service.come(slug)
        person = {"user_id": "w-1", "email": "W@x.example", "full_name": "Wanjiku", "roles": ["technician"]}

        async def event(id: str = id, person: dict[str, Any] = person) -> None:
            assert await service.tell("user.created", TIMES[1], tenant=id, **person) == 202

        async def token(id: str = id) -> None:
            bearer = service.issuer.token(tenant_id=id, sub="w-1", email="w@x.example", roles=["technician"])
            assert await status(service.at(id), bearer) in (200, 401)  # 401 while there is no such tenant

        async def call(slug: str = slug) -> None:
            body = {"email": "w@X.example", "user_id": "w-1", "tenant_slug": slug, "roles": ["technician"]}
            async with service.client() as client:
                answer = await client.post("/api/v1/admin/users/sync", json=body | {"profile": {"name": "Wanjiku"}})
                assert answer.status_code in (200, 201, 404), answer.text

        async def tenant(slug: str = slug, id: str = id) -> None:
            assert await service.tell("tenant.created", **named(slug, id)) == 202

        work: list[Callable[[], Awaitable[None]]] = [event, token, call] * 3
        dice.shuffle(work)
        if turn % 2 == 0:
            work.insert(4, tenant)
        await asyncio.gather(*(each() for each in work))

        async def settled(id: str = id) -> bool:
            return [(row[0], row[1]) for row in await users(stage, id)] == [("w@x.example", "technician")]

        await until(settled)
        await becomes(service.at(id), service.issuer.token(tenant_id=id, sub="w-1", email="w@x.example"), 200)
        assert len(await users(stage, id)) == 1


async def test_what_the_service_changes_is_seen_and_rights_end(service: Service, stage: Stage) -> None:
    slug, id = f"s-{secrets.token_hex(4)}", str(uuid4())
    await service.tell("tenant.created", **named(slug, id))
    await service.come(slug)
    person = {"tenant": id, "user_id": "w-1", "email": "w@x.example", "roles": ["owner"]}
    await service.tell("user.created", TIMES[1], **person)
    old = service.issuer.token(tenant_id=id, sub="w-1", email="w@x.example", roles=["owner"], iat=1793520000)
    await until(lambda: users(stage, id))
    await becomes(service.at(id), old, 200)
    assert await status(service.at(id), old, "/api/v1/payments") == 200
    later = {"roles": ["technician"], "email": "new@x.example"}
    async with service.client() as client:
        body = {"email": "new@x.example", "user_id": "w-1", "tenant_id": id, "roles": ["technician"]}
        answer = await client.post("/api/v1/admin/users/sync", json=body)
        assert (answer.status_code, answer.json()["created"]) == (200, False)
        again = await client.post("/api/v1/admin/users/sync", json=body)
        assert again.json() == answer.json()
    await service.tell("user.updated", TIMES[2], **person | later | {"email": "older@x.example"})

    async def lost() -> bool:
        return await status(service.at(id), old, "/api/v1/payments") == 403

    await until(lost)
    assert [row[:2] for row in await users(stage, id)] == [("new@x.example", "technician")]
    assert await status(service.at(id), old) == 200
    async with service.client() as client:
        await client.post("/api/v1/admin/users/sync", json=body | {"status": "suspended"})

    async def out() -> bool:
        return await status(service.at(id), old) == 403

    await until(out)


async def test_nobody_else_speaks_for_the_service(service: Service, stage: Stage) -> None:
    victim, other = await stage.tenant(), await stage.tenant()
    async with httpx2.AsyncClient(base_url=service.url, headers={"x-api-key": other.key}) as thief:
        event = {"event_id": "e-1", "event_type": "auth.tenant.updated", "data": named("mine", str(victim.id))}
        answer = await thief.post("/api/v1/events", json=event | {"tenant_id": str(victim.id)})
        assert answer.status_code == 403, "not even with a key for everything"
        answer = await thief.post("/api/v1/events", json=event)
        assert answer.status_code == 202, "what it says in its own name is an event like any other"
        await until(lambda: _at_rest(stage, other.id))
        assert (await thief.get("/api/v1/tenants")).json()["data"][0]["slug"] == other.slug
        async with victim.client() as robbed:
            assert (await robbed.get("/api/v1/tenants")).json()["data"][0]["slug"] == victim.slug
        body = {"email": "evil@x.example", "roles": ["admin"]}
        for more in ({"tenant_slug": victim.slug}, {"tenant_id": str(victim.id)}):
            assert (await thief.post("/api/v1/admin/users/sync", json=body | more)).status_code == 403
        assert (await thief.post("/api/v1/admin/users/sync", json=body)).status_code == 409, "it keeps its own people"
        for scopes in (["directory:write"], ["*", "directory:write"]):
            answer = await thief.post("/api/v1/api-keys", json={"name": "k", "scopes": scopes})
            assert answer.status_code == 422, "the operator alone gives it"
        claims = {"scopes": "scope"}
        registered = {"issuer": service.issuer.address, "audience": "crosstie", "claims": claims}
        assert (await thief.post("/api/v1/trusted-issuers", json=registered)).status_code == 201
        app = await register(thief, scopes=["*"])
        async with httpx2.AsyncClient(base_url=service.url, headers={"x-api-key": await app.token()}) as helper:
            answer = await helper.post("/api/v1/events", json=event | {"event_id": "e-2"})
            assert answer.status_code == 202, answer.text
        await until(lambda: _at_rest(stage, other.id))
        assert (await thief.get("/api/v1/tenants")).json()["data"][0]["slug"] == other.slug, "nor by an app"
    token = service.issuer.token(sub="robot", scope="directory:write users:write events:write")
    headers = {"authorization": f"Bearer {token}", "x-tenant-id": str(other.id)}
    async with httpx2.AsyncClient(base_url=service.url, headers=headers) as robot:
        answer = await robot.post("/api/v1/admin/users/sync", json=body | {"tenant_slug": victim.slug})
        assert answer.status_code == 403, "nor does an issuer"
    evil: dict[str, Any] = {"user_id": "w-1", "email": "evil@x.example", "roles": ["admin"]}
    assert await service.tell("user.created", tenant=str(victim.id), **evil) == 202
    await until(lambda: _at_rest(stage, victim.id))
    assert await users(stage, str(victim.id)) == [], "nor does the service where Crosstie keeps the people"
    async with httpx2.AsyncClient(base_url=service.url) as nobody:
        assert (await nobody.post("/api/v1/admin/users/sync", json=body)).status_code == 401


async def test_the_service_takes_no_user_of_another_issuer(service: Service, stage: Stage) -> None:
    slug, id = f"s-{secrets.token_hex(4)}", str(uuid4())
    await service.tell("tenant.created", **named(slug, id))
    await service.come(slug)
    behind = await stage.superuser()
    try:
        async with service.client() as client:
            body = {"email": "w@x.example", "user_id": "w-1", "tenant_id": id, "roles": ["viewer"]}
            assert (await client.post("/api/v1/admin/users/sync", json=body)).status_code == 201
            await behind.execute("UPDATE users SET issuer = 'https://other.example' WHERE tenant_id = $1", UUID(id))
            assert (await client.post("/api/v1/admin/users/sync", json=body)).status_code == 409
    finally:
        await behind.close()


async def _at_rest(stage: Stage, tenant_id: UUID) -> bool:
    """Whether everything that a tenant's events bring about has come about."""
    superuser = await stage.superuser()
    try:
        left = await superuser.fetchval(
            "SELECT (SELECT count(*) FROM outbox WHERE tenant_id = $1)"
            " + (SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND status <> 'delivered')",
            tenant_id,
        )
        return bool(left == 0)
    finally:
        await superuser.close()
