"""What is done is in the audit log, once, with who did it, from where, and what changed."""

from __future__ import annotations

import httpx2

from tests.integration.audit.conftest import entries
from tests.stage import Tenant


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
