"""A firm that uses the rig: its tenant, its endpoints, its work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.faults.rig import Rig
from tests.stage import Tenant


@asynccontextmanager
async def firm(rig: Rig) -> AsyncIterator[tuple[Tenant, httpx2.AsyncClient, str]]:
    """A tenant served by the rig's first API, a client of its API, and a client of its own to have jobs for."""
    tenant = await rig.tenant()
    tenant.url = rig.urls()[0]
    async with tenant.client() as client:
        made = await client.post("/api/v1/clients", json={"name": "Fatima Hassan"})
        yield tenant, client, made.json()["id"]


async def hook(client: httpx2.AsyncClient, url: str, **settings: Any) -> str:
    """A new endpoint; answers its id."""
    made = await client.post("/api/v1/webhook-endpoints", json={"url": url, "event_types": ["job.*"], **settings})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def job(client: httpx2.AsyncClient, client_id: str, *moves: str) -> str:
    """A new job, moved along; answers its id."""
    made = await client.post("/api/v1/jobs", json={"client_id": client_id, "title": "Mend the roof"})
    assert made.status_code == 201, made.text
    for move in moves:
        moved = await client.post(f"/api/v1/jobs/{made.json()['id']}/{move}", json={})
        assert moved.status_code == 200, moved.text
    return str(made.json()["id"])
