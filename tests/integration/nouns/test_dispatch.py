"""A job sets out once the checks that come before it are passed: by itself, once, and not otherwise."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2

from tests.fence import until
from tests.integration.nouns.conftest import Make, events


async def scheduled(client: httpx2.AsyncClient, make: Make, job: dict[str, Any]) -> str:
    """Another job of the same client, whose visit is planned."""
    found = await make("jobs", client_id=job["client_id"], title="Wire the pump")
    assert (await client.post(f"/api/v1/jobs/{found['id']}/schedule")).status_code == 200
    return str(found["id"])


async def judged(client: httpx2.AsyncClient, verdict: str, job_id: str) -> None:
    """Have a compliance service tell of a checklist."""
    data = {"checklist_id": str(uuid4()), "job_id": job_id}
    event = {"event_id": str(uuid4()), "event_type": f"compliance.checklist.{verdict}", "data": data}
    for _ in range(2):  # it sends everything twice
        assert (await client.post("/api/v1/events", json=event)).status_code == 202


async def status(client: httpx2.AsyncClient, id: str) -> str:
    return str((await client.get(f"/api/v1/jobs/{id}")).json()["status"])


async def test_a_job_is_dispatched_when_its_checks_are_passed(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    failed, passed, last = [await scheduled(client, make, job) for _ in range(3)]

    async def gone(id: str) -> bool:
        return await status(client, id) == "dispatched"

    await judged(client, "failed", failed)
    await judged(client, "completed", job["id"])  # nobody has planned it yet
    for stranger in (str(uuid4()), "JOB-17"):
        await judged(client, "completed", stranger)
    await judged(client, "completed", passed)
    await until(lambda: gone(passed))
    await judged(client, "completed", passed)
    await judged(client, "completed", last)
    await until(lambda: gone(last))

    assert (await status(client, failed), await status(client, job["id"])) == ("scheduled", "requested")
    dispatched = [e["data"]["job_id"] for e in await events(client) if e["event_type"] == "job.dispatched"]
    assert sorted(dispatched) == sorted([passed, last])

    async def settled() -> bool:
        return {each["status"] for each in (await client.get("/api/v1/deliveries")).json()["data"]} == {"delivered"}

    await until(settled)  # nothing was refused, to be tried again
