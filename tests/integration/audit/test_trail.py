"""What is done is in the audit log, once, with who did it, from where, and what changed."""

from __future__ import annotations

import asyncpg
import httpx2
import pytest
from starlette.requests import Request

from crosstie.access import audit
from crosstie.api.peer import Proxies
from crosstie.app import opened
from crosstie.log.event import NOBODY, ORIGIN, Origin
from tests.contract.noun.samples import World
from tests.integration.audit.reading import entries
from tests.stage import Stage, Tenant


async def test_a_change_is_one_entry_with_what_changed(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = await client.post("/api/v1/clients", json={"name": "Thandi", "kind": "person"})
    id, request_id = made.json()["id"], made.headers["x-request-id"]
    await client.patch(f"/api/v1/clients/{id}", json={"kind": "firm", "name": "Thandi Ltd"})
    await client.delete(f"/api/v1/clients/{id}")

    found = await entries(client, target_id=id)

    assert [entry["action"] for entry in found] == ["clients.create", "clients.update", "clients.delete"]
    created, updated, deleted = found
    assert created["request_id"] == request_id
    assert created["ip"] == "127.0.0.1"
    assert created["actor"]["type"] == "api_key"
    assert created["target"] == {"type": "client", "id": id}
    assert created["before"] is None
    assert created["after"]["name"] == "Thandi"
    assert {k: v for k, v in updated["before"].items() if k != "updated_at"} == {"kind": "person", "name": "Thandi"}
    assert {k: v for k, v in updated["after"].items() if k != "updated_at"} == {"kind": "firm", "name": "Thandi Ltd"}
    assert deleted["after"] is None
    assert deleted["before"]["name"] == "Thandi Ltd"
    assert [entry["outcome"] for entry in found] == ["done"] * 3
    positions = [entry["position"] for entry in found]
    assert positions == list(range(positions[0], positions[0] + 3))


async def test_refused_scopes_are_there_as_denied(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    key = (await client.post("/api/v1/api-keys", json={"name": "Narrow", "scopes": ["jobs:read"]})).json()
    narrow = {"authorization": f"Bearer {key['key']}"}

    refused = await client.post("/api/v1/api-keys", json={"name": "More", "scopes": ["*"]}, headers=narrow)

    assert refused.status_code == 403
    (entry,) = await entries(client, outcome="denied")
    assert entry["action"] == "api-keys.create"
    assert entry["actor"] == {"type": "api_key", "id": key["id"]}
    assert entry["request_id"] == refused.headers["x-request-id"]
    assert entry["after"] == {"scope": "api-keys:write", "path": "/api/v1/api-keys"}


async def test_a_key_in_a_forbidden_place_is_told_of(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    body = {"name": "Bound", "scopes": ["*"], "ips": ["10.9.8.0/24"]}
    key = (await client.post("/api/v1/api-keys", json=body)).json()

    for _ in range(3):
        refused = await client.get("/api/v1/jobs", headers={"authorization": f"Bearer {key['key']}"})
        assert refused.status_code == 403

    (entry,) = await entries(client, action="credentials.use")
    assert (entry["outcome"], entry["ip"]) == ("denied", "127.0.0.1")
    assert entry["actor"] == {"type": "api_key", "id": key["id"]}


async def test_what_failed_leaves_no_entry_and_a_repeat_no_second_one(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/api/v1/clients", json={"name": ""})).status_code == 422
    for _ in range(2):
        again = await client.post("/api/v1/clients", json={"name": "Once"}, headers={"idempotency-key": "k"})
        assert again.status_code == 201
    keyed = {"idempotency-key": "other"}
    assert (await client.post("/api/v1/clients", json={"name": ""}, headers=keyed)).status_code == 422
    items = {"items": [{"name": "Good"}, {"name": ""}, {"name": "Better"}, {"kind": "person"}]}
    assert (await client.post("/api/v1/clients/bulk", json=items)).status_code == 200

    found = await entries(client, action="clients.create")

    assert [entry["after"]["name"] for entry in found] == ["Once", "Good", "Better"]


async def test_a_secret_never_gets_in(client: httpx2.AsyncClient) -> None:
    auth = {"type": "bearer", "secret": "sesame-open-wide"}
    headers = {"X-Api-Key": "hunter2-hunter2", "X-Plain": "plain"}
    url = "https://example.com/hook"
    made = await client.post("/api/v1/webhook-endpoints", json={"url": url, "auth": auth, "headers": headers})
    await client.post(f"/api/v1/webhook-endpoints/{made.json()['id']}/rotate-secret", json={"secret": SECRET})

    found = await entries(client, target_id=made.json()["id"])

    assert [entry["action"] for entry in found] == ["webhook-endpoints.create", "webhook-endpoints.rotate_secret"]
    assert found[0]["after"]["headers"] == {"X-Api-Key": "***", "X-Plain": "***"}
    assert found[1]["after"]["given"]["secret"] == "***"
    for secret in (auth["secret"], headers["X-Api-Key"], SECRET, made.json()["secret"]):
        assert secret not in str(found)


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def test_the_client_who_holds_a_link_is_an_actor_too(client: httpx2.AsyncClient) -> None:
    world = World(client)
    quote = (await world.make("quotes")).json()
    sent = (await client.post(f"/api/v1/quotes/{quote['id']}/send")).json()
    link = (await client.post(f"/api/v1/quotes/{quote['id']}/link")).json()
    token = str(link.get("url") or sent.get("url")).split("?")[0].rsplit("/", 1)[1]
    async with httpx2.AsyncClient(base_url=client.base_url) as holder:
        approved = await holder.post(f"/api/v1/quote-links/{token}/approve", json={"approver": "Thandi"})
    assert approved.status_code == 200, approved.text

    (entry,) = await entries(client, request_id=approved.headers["x-request-id"], action="quotes.approve")

    assert entry["actor"]["type"] == "client"
    assert (entry["before"]["status"], entry["after"]["status"]) == ("sent", "approved")


async def test_it_is_read_only_and_another_tenants_is_not_seen(
    client: httpx2.AsyncClient, stage: Stage, tenant: Tenant
) -> None:
    await client.post("/api/v1/clients", json={"name": "Mine"})
    (*_, entry) = await entries(client)
    path = f"/api/v1/audit-entries/{entry['id']}"
    assert (await client.get(path)).json() == entry
    for method in ("PATCH", "DELETE", "PUT"):
        assert (await client.request(method, path, json={})).status_code == 405
    async with (await stage.tenant()).client() as other:
        assert (await other.get(path)).status_code == 404
        assert entry["id"] not in {each["id"] for each in await entries(other)}
    connection = await asyncpg.connect(stage.dsns.app)
    for statement in ("UPDATE audit_entries SET outcome = 'done'", "DELETE FROM audit_entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_a_failed_sign_in_is_there_under_the_right_address(stage: Stage, tenant: Tenant) -> None:
    """Behind a proxy that is trusted, the address is that which the proxy says, and no further one."""
    proxies = Proxies(("127.0.0.0/8",))
    scope = {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9")],
    }
    origin = Origin("r", lambda: proxies.client(Request(scope)))
    token = ORIGIN.set(origin)
    try:
        async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
            target = ("user", "0190a000-0000-7000-8000-000000000001")
            await audit.note(
                process.log.app, process.vault, tenant.id, NOBODY, "sessions.create", outcome="failed", target=target
            )
    finally:
        ORIGIN.reset(token)
    async with tenant.client() as client:
        (entry,) = await entries(client, outcome="failed")
    assert (entry["ip"], entry["request_id"]) == ("203.0.113.9", "r")
    assert entry["actor"] == {"type": "anonymous", "id": None}
